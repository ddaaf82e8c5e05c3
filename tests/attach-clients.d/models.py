"""pydantic: validators, generics, recursive models, errors, schemas."""

import json
from datetime import date
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import (BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, computed_field, field_validator,
                      model_validator)

Item = TypeVar("Item")


class Address(BaseModel):
    street: str
    number: Annotated[int, Field(gt=0)]

    @field_validator("street")
    @classmethod
    def capital(cls, street):
        if not street[:1].isupper():
            raise ValueError("begins with a small letter")
        return street


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    bites: bool


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    born: date
    addresses: list[Address] = []
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    children: list["Person"] = []

    @computed_field
    @property
    def people(self) -> int:
        return 1 + sum(child.people for child in self.children)

    @model_validator(mode="after")
    def older(self):
        if any(child.born <= self.born for child in self.children):
            raise ValueError("a child is older")
        return self


class Page(BaseModel, Generic[Item]):
    items: list[Item]


def main():
    person = Person.model_validate({
        "name": "Ann", "born": "1960-02-03", "addresses": [{"street": "Main", "number": "5"}],
        "pet": {"kind": "dog", "bites": "no"},
        "children": [{"name": f"c{i}", "born": f"19{i}-01-01", "pet": {"kind": "cat"}} for i in range(80, 99)]})
    print(person.people, person.pet, person.addresses)
    assert Person.model_validate_json(person.model_dump_json(exclude={"people": True, "children": {"__all__": {"people"}}}))
    for data in ({"name": 1}, {"name": "B", "born": "1990-01-01", "children": [{"name": "c", "born": "1980-01-01"}]},
                 {"name": "C", "born": "1990-13-01", "addresses": [{"street": "x", "number": 0}], "more": 1},
                 {"name": "D", "born": "1990-01-01", "pet": {"kind": "bird"}}):
        try:
            print(Person.model_validate(data))
        except ValidationError as error:
            print(error)
    print(Page[Address](items=[{"street": "Y", "number": 1}]), TypeAdapter(dict[str, list[int]]).validate_python({"a": ["1"]}))
    print(json.dumps(Person.model_json_schema(), indent=1))


main()
