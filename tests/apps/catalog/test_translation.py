"""The draft translation: what it leaves alone, and that it is European."""

from __future__ import annotations

import re

import pytest

from buttress.apps.catalog.extraction.offline import (
    Translator,
    brazilian_words,
    bundled,
    european,
    translate,
    translate_html,
)
from buttress.apps.catalog.extraction.offline.european import _words
from buttress.apps.catalog.extraction.offline.translation import translate_title


def echo(sentence: str, direction: str) -> str:
    """A translator that shows what it was given."""
    return f"[{sentence}]"


def loses_signs(sentence: str, direction: str) -> str:
    """A translator that drops every sign."""
    return re.sub(r"XQ\d+", "", sentence).upper()


@pytest.fixture(scope="module")
def translator() -> Translator:
    return bundled()


def test_it_gets_one_sentence_at_a_time_and_never_a_tag():
    html = "<p><strong>Oakleaf</strong> soothes. It helps &amp; heals.</p>\n<ul><li>Vegan</li></ul>"

    seen = translate_html(html, "en-pt", echo, names=["Oakleaf"])

    assert seen == (
        "<p><strong>Oakleaf</strong> [soothes.] [It helps &amp; heals.]</p>\n"
        "<ul><li>[Vegan]</li></ul>"
    )


def test_long_sentences_are_cut_at_commas():
    text = ", ".join(["a clause of some length that goes on"] * 20)

    pieces = translate(text, "en-pt", echo).split("] [")

    assert len(pieces) > 1
    assert all(len(piece) <= 410 for piece in pieces)


def test_a_sign_that_is_lost_is_put_back_by_translating_around_it():
    said = translate("Use Oakleaf with 12.5 mg zinc daily", "en-pt", loses_signs, names=["Oakleaf"])

    assert said == "USE Oakleaf WITH 12.5 mg ZINC DAILY"


def test_brands_measures_and_numbers_are_the_same_afterwards(translator: Translator):
    said = translate(
        "Oakleaf Hydra Calm Cream has 2% niacinamide and 12.5 mg zinc. Take 2 capsules for 30 days.",
        "en-pt",
        translator,
        names=["Oakleaf", "Hydra Calm"],
    )

    for kept in ("Oakleaf", "Hydra Calm", "2%", "12.5 mg", "2 cápsulas", "30 dias"):
        assert kept in said
    assert "XQ" not in said


def test_in_the_is_not_turned_into_not(translator: Translator):
    """The wheel's own clean-up does that; what lies beneath does not."""
    assert " não " not in translate("Apply a small amount to the face.", "en-pt", translator)


def test_both_directions_work(translator: Translator):
    said = translate("Aplicar de manhã e à noite no rosto limpo.", "pt-en", translator)

    assert "morning" in said
    assert "face" in said


def test_brazilian_words_become_european_with_their_articles_and_capitals():
    assert european("Massageie a pele. Você verá a tela e os cílios.") == (
        "Massaje a pele. Verá o ecrã e as pestanas."
    )
    assert european("MAQUIAGEM, Umidade e contato") == "MAQUILHAGEM, Humidade e contacto"
    assert european("está ajudando a pele") == "está a ajudar a pele"
    assert european("um ambiente lindo") == "um ambiente lindo"


def test_possessives_get_the_article_they_have_in_portugal():
    assert european("Seus ativos cuidam. Aplique em sua pele, por sua vez para seu bem.") == (
        "Os seus ativos cuidam. Aplique na sua pele, por sua vez para o seu bem."
    )
    assert european("as suas mãos e os seus pés") == "as suas mãos e os seus pés"


def test_names_are_known_by_their_form(translator: Translator):
    said = translate_title("Ionic Hair Dryer AirPro X200", "en-pt", translator)

    assert "AirPro" in said
    assert "X200" in said
    assert "secador" in said


def test_the_list_has_hundreds_of_words_and_none_of_its_answers_is_brazilian():
    words, _ = _words()

    assert len(words) > 500
    wrong = {
        written: better
        for written, better in words.items()
        if better and [one for one, _ in brazilian_words(better) if one.casefold() != "em"]
    }
    assert wrong == {}


def test_brazilian_words_are_found_with_what_is_said_instead():
    assert brazilian_words("O usuário está usando a umidade") == [
        ("usuário", "utilizador"),
        ("umidade", "humidade"),
        ("está usando", "está a usar"),
    ]
