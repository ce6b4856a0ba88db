"""From one page of the catalog to another, and what all of them do with input."""

from __future__ import annotations

from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel, ValidationError
from streamlit.navigation.page import Page

from buttress.apps.catalog import app
from buttress.errors import BadInput

Given = TypeVar("Given", bound=BaseModel)


def way(name: str) -> Page:
    """The page of that name: `extract`, `batches`, `products`, `review`, …"""
    page = next(one for one in app.pages if one.path == f"{app.name}-{name}")
    return st.Page(
        page.render, title=page.title, icon=f":material/{page.icon}:", url_path=page.path
    )


def number_in_address(name: str) -> int | None:
    """The number the address names, None when it names none; raises `BadInput` for no number."""
    written = st.query_params.get(name)
    if not written:
        return None
    if not written.isascii() or not written.isdigit() or len(written) > 18:
        raise BadInput(
            f"{written[:40]!r} is no number of a {name}", hint="Open it from its list again."
        )
    return int(written)


def given(shape: type[Given], **values: Any) -> Given:
    """What people put in, validated; raises `BadInput` that names the field."""
    try:
        return shape(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise BadInput(f"{field} cannot be that: {first['msg'].lower()}") from error
