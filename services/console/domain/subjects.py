"""How a customer or an account is called and where its page is."""

from dataclasses import dataclass
from typing import Literal

from services.console.domain.reading import Document, mapping, mappings, segment, text

SubjectType = Literal["customer", "account"]
_CALLED_BY = ("email", "account", "user_id", "anonymous_id")
_ADDRESSED_BY = ("account", "user_id")


@dataclass(frozen=True, slots=True)
class Subject:
    """A customer or an account: `name` for people, `detail` to tell two of a name apart, `href` of its page."""

    type: SubjectType
    id: str
    name: str
    detail: str
    href: str


def subject(type_: SubjectType, id_: str, identifiers: object, traits: object = None, name: str = "") -> Subject:
    """Names a subject by its traits, else by its identifiers, else by its id."""
    known = {text(each.get("type")): text(each.get("value")) for each in reversed(mappings(identifiers))}
    called = [known[kind] for kind in _CALLED_BY if known.get(kind)]
    best = name or _name(mapping(traits)) or (called[0] if called else f"{id_[:8]}…")
    detail = next((each for each in called if each != best), "")
    addressed = next((f"{kind}:{known[kind]}" for kind in _ADDRESSED_BY if known.get(kind)), id_)
    return Subject(type_, id_, best, detail, href(type_, addressed))


def of_document(document: Document) -> Subject:
    """The subject of one of journey's documents."""
    if "customer_id" in document:
        return subject("customer", text(document["customer_id"]), document.get("identifiers"), document.get("traits"))
    return subject("account", text(document.get("account_id")), document.get("identifiers"), document.get("traits"))


def of_reference(document: Document) -> Subject:
    """The subject of an alert or a score: `{type, id, identifiers}`."""
    type_: SubjectType = "account" if document.get("type") == "account" else "customer"
    return subject(
        type_, text(document.get("id")), document.get("identifiers"), document.get("traits"), text(document.get("name"))
    )


def href(type_: SubjectType, reference: str) -> str:
    """The address of a subject's page."""
    return f"/{'accounts' if type_ == 'account' else 'customers'}/{segment(reference)}"


def _name(traits: Document) -> str:
    name = text(traits.get("name"))
    return name or " ".join(part for part in (text(traits.get("firstName")), text(traits.get("lastName"))) if part)
