"""Translation: every text is in its language, and the Portuguese is that of Portugal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buttress.apps.catalog.evaluation.case import Case, Twin
from buttress.apps.catalog.evaluation.portuguese import brazilian
from buttress.apps.catalog.evaluation.rules.registry import Fault, rule
from buttress.apps.catalog.evaluation.words import language_of, sentences, tokens, words

SHORT = 4
"""Words: a shorter sentence does not tell its language by itself."""
NOT_TEXT = re.compile(r"^[\W\d_]*$")


@rule("translation")
def nothing_left_untranslated(case: Case) -> Iterator[Fault]:
    """No sentence of a Portuguese text is English, none of an English text Portuguese."""
    for twin in case.twins:
        if ".Url" in twin.english_field:
            continue
        english, portuguese = twin.plain()
        for field, text, wrong in (
            (twin.portuguese_field, portuguese, "en"),
            (twin.english_field, english, "pt"),
        ):
            found = [one for one in sentences(text) if _is(case, one, wrong)]
            if found:
                language = "English" if wrong == "en" else "Portuguese"
                lost = "1.5" if len(found) > 1 else "1"
                many = f" and {len(found) - 1} more" if len(found) > 1 else ""
                yield Fault(
                    field, f"a sentence is {language}{many}: {found[0][:80]}", lost, found[0]
                )


@rule("translation")
def not_the_same_text(case: Case) -> Iterator[Fault]:
    """A sentence that is the same in both languages was not translated, unless it is a name."""
    for twin in case.twins:
        if ".Url" in twin.english_field:
            continue
        same = next(_same(case, twin), None)
        if same is not None:
            message = f"the same in both languages: {same[:80]}"
            yield Fault(twin.portuguese_field, message, "0.75", same)


@rule("translation")
def european_portuguese(case: Case) -> Iterator[Fault]:
    """No wording of Brazil."""
    for field in case.texts:
        if not field.endswith("PT"):
            continue
        found = brazilian(case.plain(field))
        if found:
            all_of_them = ", ".join(one.written for one in found[:5])
            points = min(1.5, 0.5 + 0.25 * (len(found) - 1))
            message = f"Brazilian wording: {all_of_them}"
            yield Fault(field, message, f"{points:g}", found[0].written, found[0].european or None)


def _is(case: Case, sentence: str, language: str) -> bool:
    """Whether a sentence is in that language; one that the brand makes up does not count."""
    names = case.names()
    rest = [word for word in words(sentence) if not set(tokens(word)) <= names]
    return len(rest) >= SHORT and language_of(" ".join(rest)) == language


def _same(case: Case, twin: Twin) -> Iterator[str]:
    english, portuguese = twin.plain()
    here = {one.casefold() for one in sentences(english)}
    names = case.names()
    for one in sentences(portuguese):
        if one.casefold() not in here or NOT_TEXT.match(one):
            continue
        rest = [word for word in tokens(one) if word not in names and not word.isdigit()]
        small = [word for word in rest if len(word) > 2]
        # Titles that are names altogether ("Oud Royale") stay as they are.
        running = [word for word in words(one) if word.isalpha() and word.islower()]
        if len(small) >= SHORT or len([word for word in running if len(word) > 2]) >= 2:
            yield one
