"""The tokenizer premium: how many more tokens a text takes in a language than the same text in English."""
