"""The kinds of personal data, and whom they are about."""

from enum import StrEnum

# What the retention of an organization leaves in place of the data about a candidate.
ANONYMISED = "[anonymised]"


class Subject(StrEnum):
    """The person whom the data is about."""

    CANDIDATE = "candidate"
    RECIPIENT = "recipient of a voucher"
    BUYER = "buyer of vouchers"
    USER = "user"
    ANYONE = "anyone whom the text names"


class Content(StrEnum):
    """The kind of data in a column."""

    PERSON_ID = "person id"
    CLIENT_CANDIDATE_ID = "client candidate id"
    EMAIL = "e-mail address"
    NAME = "name"
    # One text that may name a person.
    TEXT = "text"
    # Texts by key, and records as JSON and as bytes of JSON, any of which may name a person.
    METADATA = "texts by key"
    RECORD = "record"
    BODY = "response body"
    # Ids and codes that lead to a person only through other data.
    REFERENCE = "reference"
