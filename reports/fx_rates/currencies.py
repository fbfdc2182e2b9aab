"""Which currencies the page shows, and what they are called in French."""

from __future__ import annotations

from typing import NamedTuple


class Major(NamedTuple):
    """A currency with a card and a curve of its own."""

    code: str
    #: Quoted for so many units, where one is a small amount.
    units: int


#: Chosen by the trade of the CFA franc's countries: what imports are paid in, and the two of reserves.
#: Another one: add it here; the style sheet has colours for six.
MAJORS = (Major("USD", 1), Major("GBP", 1), Major("CHF", 1), Major("JPY", 100), Major("CNY", 1))

#: A code that is not here is shown as it is.
NAMES = {
    "AUD": "Dollar australien",
    "BGN": "Lev bulgare",
    "BRL": "Réal brésilien",
    "CAD": "Dollar canadien",
    "CHF": "Franc suisse",
    "CNY": "Yuan chinois",
    "CZK": "Couronne tchèque",
    "DKK": "Couronne danoise",
    "EUR": "Euro",
    "GBP": "Livre sterling",
    "HKD": "Dollar de Hong Kong",
    "HUF": "Forint hongrois",
    "IDR": "Roupie indonésienne",
    "ILS": "Shekel israélien",
    "INR": "Roupie indienne",
    "ISK": "Couronne islandaise",
    "JPY": "Yen japonais",
    "KRW": "Won sud-coréen",
    "MXN": "Peso mexicain",
    "MYR": "Ringgit malaisien",
    "NOK": "Couronne norvégienne",
    "NZD": "Dollar néo-zélandais",
    "PHP": "Peso philippin",
    "PLN": "Zloty polonais",
    "RON": "Leu roumain",
    "SEK": "Couronne suédoise",
    "SGD": "Dollar de Singapour",
    "THB": "Baht thaïlandais",
    "TRY": "Livre turque",
    "USD": "Dollar américain",
    "ZAR": "Rand sud-africain",
}
