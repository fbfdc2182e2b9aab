"""Numbers and dates as French readers write them. Pure."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

_MONTHS = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()  # noqa: SIM905
)
_SHORT = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.".split()  # noqa: SIM905
_THIN, _MINUS, _NONE = "\N{NARROW NO-BREAK SPACE}", "\N{MINUS SIGN}", "\N{EN DASH}"


def number(value: Decimal | float, decimals: int, *, signed: bool = False) -> str:
    """A number: narrow spaces between thousands, a comma, a real minus sign.

    Args:
        value: what to write.
        decimals: digits after the comma.
        signed: write a plus sign too.
    """
    text = f"{abs(value):,.{decimals}f}"
    written = text.replace(",", _THIN).replace(".", ",")
    # What rounds to zero has no sign.
    if not any(digit in "123456789" for digit in text):
        return written
    return f"{_MINUS if value < 0 else '+' if signed else ''}{written}"


def percent(fraction: float | None, decimals: int = 1, *, signed: bool = False) -> str:
    """A fraction as percentage; a dash for none."""
    return _NONE if fraction is None else f"{number(fraction * 100, decimals, signed=signed)}{_THIN}%"


def day(value: date) -> str:
    """30 octobre 2026; the first of a month is 1er."""
    return f"{'1er' if value.day == 1 else value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime) -> str:
    """30 oct. 2026 à 16 h 05 UTC."""
    return f"{value.day} {month(value)} à {value:%H} h {value:%M} UTC"


def month(value: date) -> str:
    """oct. 2026."""
    return f"{_SHORT[value.month - 1]} {value.year}"
