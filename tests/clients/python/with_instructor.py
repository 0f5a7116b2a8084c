"""instructor, in each of its modes."""

import instructor
from cells import SCRIPTED_V1, V1, run
from openai import OpenAI
from pydantic import BaseModel, Field


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


def extract(url: str, mode: instructor.Mode) -> None:
    client = instructor.from_openai(OpenAI(base_url=url, api_key="none", max_retries=0), mode=mode)
    person = client.chat.completions.create(
        model="live",
        messages=[{"role": "user", "content": "Ann is 31 years old."}],
        response_model=Person,
        max_retries=0,
        max_tokens=96,
        temperature=0,
    )
    assert isinstance(person, Person)


def forced() -> None:
    extract(V1, instructor.Mode.TOOLS)
    extract(V1, instructor.Mode.TOOLS_STRICT)


def structured() -> None:
    extract(V1, instructor.Mode.JSON_SCHEMA)
    extract(V1, instructor.Mode.JSON)
    extract(SCRIPTED_V1, instructor.Mode.MD_JSON)  # asks for a block of JSON, and constrains nothing


def responses() -> None:
    extract(V1, instructor.Mode.RESPONSES_TOOLS)


run(forced=forced, structured=structured, responses=responses)
