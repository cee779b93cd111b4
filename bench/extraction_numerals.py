"""Writes numerals that are not plain digits as digits: Chinese characters, myriads after digits, LaTeX fractions."""

from __future__ import annotations

import re
from fractions import Fraction

_DIGITS = {
    char: value
    for value, chars in enumerate(("零〇", "一", "二两兩", "三", "四", "五", "六", "七", "八", "九"))
    for char in chars
}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "만": 10**4, "亿": 10**8, "億": 10**8, "억": 10**8}
_HAN = "零〇一二两兩三四五六七八九十百千万萬亿億"
# A decimal point, a part of a whole, an ordinal and "some" beside it make it another thing.
_NUMERAL = re.compile(
    rf"(?<![{_HAN}点點之第分几幾数數余餘\d])[一二两兩三四五六七八九十][{_HAN}]+(?![点點几幾多余餘\d]|分之|分の)"
)
# "3万5千" is more than its myriads, "3万多" some more.
_FOLLOWED = "[\\d 零一二三四五六七八九十百千천백십만万억余多几]*[\\d零一二三四五六七八九十百千천백십余多几]"
_MYRIAD = re.compile(rf"(?<![\d.,])(\d+(?:\.\d+)?)[ ]?([万萬만亿億억])(?!{_FOLLOWED})")
_FRACTION = re.compile(
    r"(?<![\d.,])(?<![\d.,] )\\[dt]?frac\s*\{\s*(\d{1,9})\s*\}\s*\{\s*(\d{1,9})\s*\}(?!\s*[\d\\^a-zA-Z])"
)


def in_digits(text: str) -> str:
    """The text with numerals as digits; what could be no number, or has no finite decimal form, stays."""
    if "frac" in text:
        text = _FRACTION.sub(_fraction, text)
    if not text.isascii():
        text = _MYRIAD.sub(_myriad, _NUMERAL.sub(_numeral, text))
    return text


def _fraction(match: re.Match[str]) -> str:
    above, below = int(match[1]), int(match[2])
    return match[0] if below == 0 else _decimal(Fraction(above, below)) or match[0]


def _myriad(match: re.Match[str]) -> str:
    return _decimal(Fraction(match[1]) * _MYRIADS[match[2]]) or match[0]


def _decimal(value: Fraction) -> str | None:
    """A fraction in decimal digits, if twelve places hold it."""
    scaled = value * 10**12
    if scaled.denominator != 1:
        return None
    whole, rest = divmod(int(scaled), 10**12)
    return f"{whole}.{rest:012d}".rstrip("0").rstrip(".")


def _numeral(match: re.Match[str]) -> str:
    """A numeral of units and digits, such as 四十二 or 一千零五; anything else as it stands."""
    total = section = 0
    digit: int | None = None
    unit, myriad = 10**4, 10**12
    for char in match[0]:
        if char in _DIGITS:
            if digit:
                return match[0]
            digit = _DIGITS[char]
        elif char in _UNITS:
            if _UNITS[char] >= unit or (digit is None and char != "十"):
                return match[0]
            unit, section, digit = _UNITS[char], section + (1 if digit is None else digit) * _UNITS[char], None
        else:
            if _MYRIADS[char] >= myriad:
                return match[0]
            myriad = _MYRIADS[char]
            total, section, digit, unit = total + (section + (digit or 0)) * myriad, 0, None, 10**4
    if digit is not None and unit > 10 and match[0][-2] not in "零〇" and len(match[0]) > 1:
        return match[0]  # 三百五 is 350 in speech
    return str(total + section + (digit or 0))
