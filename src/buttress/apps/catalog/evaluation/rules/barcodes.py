"""Barcodes: the check digit, the source they were read from, and no two alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stdnum import ean

from buttress.apps.catalog.evaluation.case import Case
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule

LENGTHS = (8, 12, 13, 14)


@rule("structure")
def barcode_check_digit(case: Case) -> Iterator[Fault]:
    """An EAN has 8, 12, 13 or 14 digits of which the last one proves the others."""
    for path, one in case.variants:
        code = one.ean
        if not code:
            continue
        if not (code.isascii() and code.isdigit() and len(code) in LENGTHS):
            yield Fault(f"{path}EAN", "a barcode has 8, 12, 13 or 14 digits", "1.5", code)
        elif ean.calc_check_digit(code[:-1]) != code[-1]:
            right = ean.calc_check_digit(code[:-1])
            message = f"the check digit of {code} is wrong"
            yield Fault(f"{path}EAN", message, "1.5", code, f"{right} at the end")


@rule("content")
def barcode_in_source(case: Case) -> Iterator[Fault]:
    """Barcodes and national codes are read, never made up."""
    for path, one in case.variants:
        for name, code in (("EAN", one.ean), ("CNP", one.cnp)):
            if code and case.material.find_digits(code) is None and not case.in_source(code):
                yield Fault(f"{path}{name}", f"{code} is nowhere in the sources", "1.5", code)


@rule("structure")
def barcodes_differ(case: Case) -> Iterator[Fault]:
    """Each variant has a barcode of its own."""
    often = Counter(one.ean for _, one in case.variants if one.ean)
    for path, one in case.variants:
        if often[one.ean] > 1:
            message = f"{often[one.ean]} variants have the barcode {one.ean}"
            yield Fault(f"{path}EAN", message, "1", one.ean)
