"""Signs of currencies and symbols of units, the same in all languages.

CLDR has their names; which symbol people type for which of them it does not say.
"""

from __future__ import annotations

from collections.abc import Mapping


def word_set(words: str) -> frozenset[str]:
    """The words of a string."""
    return frozenset(words.split())


# ISO 4217 by what stands before or after an amount.
CURRENCY_OF_SYMBOL: Mapping[str, str] = {
    "US$": "USD", "U.S.$": "USD", "CA$": "CAD", "C$": "CAD", "A$": "AUD", "AU$": "AUD",
    "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "SG$": "SGD", "NT$": "TWD", "MX$": "MXN",
    "R$": "BRL", "Z$": "ZWL", "J$": "JMD", "TT$": "TTD", "Mex$": "MXN", "Can$": "CAD",
    "$": "USD", "＄": "USD", "€": "EUR", "£": "GBP", "￡": "GBP", "¥": "JPY", "￥": "JPY",
    "CN¥": "CNY", "RMB": "CNY", "JP¥": "JPY", "円": "JPY",
    "₹": "INR", "Rs": "INR", "Rs.": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₪": "ILS",
    "₴": "UAH", "₫": "VND", "₱": "PHP", "฿": "THB", "₦": "NGN", "₡": "CRC", "₲": "PYG",
    "₸": "KZT", "₮": "MNT", "₭": "LAK", "₵": "GHS", "₾": "GEL", "₼": "AZN", "₿": "XBT",
    "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "kr": "SEK", "Fr.": "CHF", "SFr.": "CHF",
}  # fmt: skip
# Written before or after an amount as three letters.
CURRENCY_CODES = word_set(
    "USD EUR GBP JPY CNY CHF CAD AUD NZD HKD SGD TWD INR KRW RUB TRY ILS UAH VND PHP THB "
    "NGN BRL MXN ARS CLP COP PEN UYU ZAR KES EGP MAD TND DZD SAR AED QAR KWD BHD OMR JOD "
    "PKR BDT LKR NPR IDR MYR PLN CZK HUF RON BGN HRK RSD SEK NOK DKK ISK GEL AMD AZN KZT "
    "UZS BYN ETB GHS TZS UGX XAF XOF"
)

# Names of units in CLDR by their symbols.
UNITS: Mapping[str, str] = {
    "km": "length-kilometer", "m": "length-meter", "dm": "length-decimeter",
    "cm": "length-centimeter", "mm": "length-millimeter", "µm": "length-micrometer",
    "μm": "length-micrometer", "um": "length-micrometer", "nm": "length-nanometer",
    "mi": "length-mile", "yd": "length-yard", "yds": "length-yard", "ft": "length-foot",
    "in": "length-inch", "ly": "length-light-year", "nmi": "length-nautical-mile",
    "km²": "area-square-kilometer", "m²": "area-square-meter", "cm²": "area-square-centimeter",
    "km2": "area-square-kilometer", "m2": "area-square-meter", "cm2": "area-square-centimeter",
    "km^2": "area-square-kilometer", "m^2": "area-square-meter",
    "ha": "area-hectare", "sq ft": "area-square-foot", "sq. ft.": "area-square-foot",
    "sqft": "area-square-foot", "ft²": "area-square-foot", "ft2": "area-square-foot",
    "sq mi": "area-square-mile", "mi²": "area-square-mile", "sqm": "area-square-meter",
    "sq m": "area-square-meter", "in²": "area-square-inch", "sq in": "area-square-inch",
    "km³": "volume-cubic-kilometer", "m³": "volume-cubic-meter", "cm³": "volume-cubic-centimeter",
    "m3": "volume-cubic-meter", "cm3": "volume-cubic-centimeter", "m^3": "volume-cubic-meter",
    "ft³": "volume-cubic-foot", "cu ft": "volume-cubic-foot", "in³": "volume-cubic-inch",
    "l": "volume-liter", "L": "volume-liter", "ℓ": "volume-liter", "hl": "volume-hectoliter",
    "dl": "volume-deciliter", "dL": "volume-deciliter", "cl": "volume-centiliter",
    "cL": "volume-centiliter", "ml": "volume-milliliter", "mL": "volume-milliliter",
    "gal": "volume-gallon", "qt": "volume-quart", "pt": "volume-pint",
    "fl oz": "volume-fluid-ounce", "fl. oz.": "volume-fluid-ounce",
    "tbsp": "volume-tablespoon", "tsp": "volume-teaspoon",
    "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram", "µg": "mass-microgram",
    "μg": "mass-microgram", "mcg": "mass-microgram", "t": "mass-tonne",
    "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce", "st": "mass-stone",
    "km/h": "speed-kilometer-per-hour", "kmh": "speed-kilometer-per-hour",
    "kph": "speed-kilometer-per-hour", "km/hr": "speed-kilometer-per-hour",
    "Km/h": "speed-kilometer-per-hour", "KM/H": "speed-kilometer-per-hour",
    "m/s": "speed-meter-per-second", "mph": "speed-mile-per-hour", "kn": "speed-knot",
    "m/s²": "acceleration-meter-per-square-second", "mpg": "consumption-mile-per-gallon",
    "°C": "temperature-celsius", "ºC": "temperature-celsius", "℃": "temperature-celsius",
    "°F": "temperature-fahrenheit", "ºF": "temperature-fahrenheit",
    "℉": "temperature-fahrenheit", "°": "angle-degree", "º": "angle-degree",
    "K": "temperature-kelvin",
    "GW": "power-gigawatt", "MW": "power-megawatt", "kW": "power-kilowatt", "W": "power-watt",
    "mW": "power-milliwatt", "hp": "power-horsepower",
    "kWh": "energy-kilowatt-hour", "KWh": "energy-kilowatt-hour", "kcal": "energy-kilocalorie",
    "cal": "energy-calorie", "kJ": "energy-kilojoule", "J": "energy-joule",
    "V": "electric-volt", "A": "electric-ampere", "mA": "electric-milliampere",
    "Ω": "electric-ohm",
    "GHz": "frequency-gigahertz", "MHz": "frequency-megahertz", "kHz": "frequency-kilohertz",
    "KHz": "frequency-kilohertz", "Hz": "frequency-hertz",
    "PB": "digital-petabyte", "TB": "digital-terabyte", "GB": "digital-gigabyte",
    "MB": "digital-megabyte", "kB": "digital-kilobyte", "KB": "digital-kilobyte",
    "Gb": "digital-gigabit", "Mb": "digital-megabit", "kb": "digital-kilobit",
    "Gbit": "digital-gigabit", "Mbit": "digital-megabit", "kbit": "digital-kilobit",
    "Pa": "pressure-pascal", "hPa": "pressure-hectopascal", "kPa": "pressure-kilopascal",
    "MPa": "pressure-megapascal", "bar": "pressure-bar", "mbar": "pressure-millibar",
    "mmHg": "pressure-millimeter-ofhg", "psi": "pressure-pound-force-per-square-inch",
    "atm": "pressure-atmosphere",
    "N": "force-newton", "Nm": "torque-newton-meter", "lx": "light-lux", "lm": "light-lumen",
    "px": "graphics-pixel", "MP": "graphics-megapixel", "dpi": "graphics-dot-per-inch",
    "ppi": "graphics-pixel-per-inch",
    "h": "duration-hour", "hr": "duration-hour", "hrs": "duration-hour",
    "min": "duration-minute", "mins": "duration-minute", "s": "duration-second",
    "sec": "duration-second", "secs": "duration-second", "ms": "duration-millisecond",
    "µs": "duration-microsecond", "μs": "duration-microsecond", "ns": "duration-nanosecond",
    "yr": "duration-year", "yrs": "duration-year",
    "%": "concentr-percent", "％": "concentr-percent", "‰": "concentr-permille",
    "ppm": "concentr-part-per-1e6",
    "㎏": "mass-kilogram", "㎜": "length-millimeter", "㎝": "length-centimeter",
    "㎞": "length-kilometer", "㎡": "area-square-meter", "㎎": "mass-milligram",
    "㎖": "volume-milliliter",
}  # fmt: skip
# Alone after a number these are words or letters more often than units ("5 in", "Plan 5 A"): they
# are units only where no space stands between.
ONLY_WITHOUT_SPACE = word_set("in A K N J st pt MP hp bar cal")
# And these mean something else there ("4K", "5G", "747 A").
NEVER_WITHOUT_SPACE = word_set("K MP A")
# English abbreviations that are words, or nothing, in the other languages.
ENGLISH_ONLY = word_set("in mi st yr yrs pt hr hrs")
# Fractions in one character: numerator, denominator.
VULGAR: Mapping[str, tuple[int, int]] = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5),
    "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8),
    "⅝": (5, 8), "⅞": (7, 8), "⅑": (1, 9), "⅒": (1, 10),
}  # fmt: skip
# "5 €/kg", "10 g/l", "100 Mb/s": what may stand after the stroke.
PER = word_set("km mi m kg g mg t l L ml mL dl h hr min s sec m²") | frozenset(
    ("m³", "km²", "kWh", "MWh", "yr", "ha", "lb", "oz", "gal")
)
