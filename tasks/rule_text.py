"""The words of the rule suite's requests: ours, in English, the same for every language."""

from __future__ import annotations

TOPICS = (
    "baking bread",
    "a day at the market",
    "how rain forms",
    "learning to swim",
    "the life of a bee",
    "growing vegetables",
    "a bus journey",
    "washing hands",
    "playing football",
    "looking after a dog",
    "how a bicycle works",
    "the moon at night",
    "cooking for guests",
    "a wedding in a village",
    "reading aloud to children",
    "crossing a busy street",
    "a river in flood",
    "repairing a roof",
    "the work of a nurse",
    "saving water at home",
    "how paper is made",
    "a school holiday",
    "listening to the radio",
    "catching fish",
    "walking in a forest",
    "the first day at work",
    "choosing shoes",
    "how to stay warm",
    "a visit to a museum",
    "singing in a group",
    "planting a tree",
    "keeping a secret",
    "the sounds of a city",
    "sharing a meal",
    "how salt is used",
    "a lost key",
    "riding a horse",
    "sending a letter",
    "the use of money",
    "being a good neighbour",
    "a storm at sea",
    "making a kite",
    "sleeping well",
    "the colours of birds",
    "carrying water",
    "a long queue",
    "building a wall",
    "milking a goat",
    "how stars look from a hill",
    "drawing a map",
    "the taste of fruit",
    "weaving a basket",
    "waiting for a train",
    "a small shop",
    "helping an old person",
    "the smell of coffee",
    "climbing a hill",
    "mending clothes",
    "a game with a ball",
    "telling the time",
    "the heat of summer",
    "a broken telephone",
    "dancing at a feast",
    "crossing a bridge",
)
"""What is written about. Everyday things, so that no language lacks the words."""

REQUESTS = (
    ("two", "Write two sentences about {topic}."),
    ("three", "Write three sentences about {topic}."),
    ("four", "Write four sentences about {topic}."),
    ("story", "Tell a very short story of four or five sentences about {topic}."),
    ("child", "Explain to a child, in three or four sentences, something about {topic}."),
    ("advice", "Give somebody a piece of advice, in two or three sentences, that has to do with {topic}."),
)
"""A name and the words of each open request."""

SENTENCES = (("two", "two"), ("three", "three"), ("four", "four"))

SITUATIONS = {
    "month": (
        ("seasons", "the seasons of the year"),
        ("birthdays", "when the people of a family have their birthdays"),
        ("farming", "the work of a farmer through the year"),
        ("weather", "the weather through the year"),
        ("school", "when a school year begins and ends"),
        ("travel", "the best time of the year to travel"),
        ("feasts", "the feasts of the year"),
        ("rent", "a family that pays its rent every month"),
    ),
    "weekday": (
        ("market", "the days on which a market is held"),
        ("lessons", "the lessons of a school week"),
        ("shop", "the opening days of a shop"),
        ("training", "the training days of a football team"),
        ("visits", "the days on which a doctor visits a village"),
        ("cooking", "who cooks on which day of the week"),
        ("bus", "a bus that does not run on every day"),
        ("rest", "a week of work and the days of rest"),
    ),
    "territory": (
        ("maps", "a wall map of the countries of the world"),
        ("teams", "teams from several countries at a tournament"),
        ("friends", "friends who live in different countries"),
        ("letters", "letters and stamps from many countries"),
        ("dishes", "dishes that come from different countries"),
        ("flags", "the flags of different countries"),
        ("sailor", "a sailor and the countries that he has seen"),
        ("students", "students from many countries in one room"),
    ),
}
"""What a text with a required or forbidden word is about: things that call for such words."""

DIGIT_REQUESTS = (
    ("sum", "What is {a} plus {b}? Answer in one short sentence."),
    ("difference", "How much larger is {b} than {a}? Answer in one short sentence."),
    ("after", "Which whole number comes right after {b}? Answer in one short sentence."),
    ("between", "Name three whole numbers between {a} and {b}."),
    ("price", "A sack costs {a} and a basket {b}. Name both prices in one sentence."),
    ("year", "Somebody was born in the year {year}. Say in one sentence how old that person was ten years later."),
    ("count", "Count in steps of {step} from {a} and stop after five numbers."),
    ("bus", "Say in one sentence that bus number {a} leaves from stop number {step}."),
)
"""Requests whose answers need digits. The rule is about the digits alone, not about the sums."""

KEYS = ("name", "place", "time", "reason", "size", "colour", "price", "owner", "use", "origin")
"""Keys of the JSON objects asked for."""

BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("<<", ">>"), ("((", "))"))
"""Openings and closings that a whole answer is wrapped in."""

CURRENCIES = (
    ("NGN", "Nigerian naira", "\u20a6"),
    ("EUR", "euros", "\u20ac"),
    ("GBP", "British pounds", "\u00a3"),
    ("INR", "Indian rupees", "\u20b9"),
    ("TRY", "Turkish liras", "\u20ba"),
    ("GHS", "Ghanaian cedis", "\u20b5"),
    ("PHP", "Philippine pesos", "\u20b1"),
    ("UAH", "Ukrainian hryvnias", "\u20b4"),
    ("ILS", "Israeli shekels", "\u20aa"),
    ("KZT", "Kazakhstani tenge", "\u20b8"),
)
"""Currencies with two decimals whose sign is one character of Unicode's Sc, so that no pattern needs a space added."""
