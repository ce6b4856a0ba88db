"""A judgement by openevals, whose questions go through the gateway as all others do.

openevals takes anything of the shape of OpenAI's client for the model it asks. What it is given
here counts tokens and cost, keeps budgets and deadlines, and asks any provider.

LangChain, which it is built of, would tell LangSmith of sources and products wherever a variable of
the environment says so. Here it never does: what is asked stands in the record of the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

from pydantic import BaseModel

from buttress.apps.catalog.extraction.prompts import Prompt
from buttress.errors import ConfigurationError
from buttress.llm import LLM, Completion

T = TypeVar("T", bound=BaseModel)
PROMPT = "{inputs}\n{outputs}"


def ask(
    llm: LLM,
    model: str,
    into: type[T],
    rubric: Prompt,
    source: str,
    product: str,
    **options: Any,
) -> Completion[T]:
    """What a model judges by a rubric, with all that the gateway knows of the call.

    Parameters
    ----------
    into
        What the model is to answer.
    source, product
        Texts between their marks, as `judge` makes them.
    options
        What `LLM.complete` takes besides.

    Raises
    ------
    ConfigurationError
        openevals is not installed.
    ButtressError
        What `LLM.complete` raises.
    """
    try:
        from langsmith import tracing_context
        from openevals.llm import create_llm_as_judge
    except ImportError as error:
        raise ConfigurationError(
            "openevals is not installed",
            hint="pip install 'buttress[openevals]', or BUTTRESS_CATALOG__JUDGE_BY=gateway.",
        ) from error
    answers: list[Completion[T]] = []

    def create(*, messages: Sequence[dict[str, str]], **_: Any) -> Any:
        said = {message["role"]: message["content"] for message in messages}
        answer = llm.complete(
            said["user"], system=said["system"], model=model, into=into, **options
        )
        answers.append(answer)
        content = answer.value.model_dump_json()
        return SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content=content))])

    client = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))
    evaluator = create_llm_as_judge(
        prompt=PROMPT,
        system=rubric.text,
        judge=client,
        model=model,
        output_schema=into.model_json_schema(),
    )
    with tracing_context(enabled=False):
        evaluator(inputs=source, outputs=product)
    return answers[-1]
