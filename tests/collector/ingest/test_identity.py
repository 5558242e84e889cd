"""Whose token it is."""

from faultline_collector.ingest.identity import Tokens


class Book:
    """A registry of one token that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def authenticate(self, token: str) -> str | None:
        """The agent of the token."""
        self.asked += 1
        return {"secret": "west-1"}.get(token)


async def test_good_answers_are_remembered_for_a_while() -> None:
    """A fleet that reconnects at once does not ask the registry for each session, nor forever."""
    book, now = Book(), [0.0]
    tokens = Tokens(book.authenticate, lambda: now[0], remember_s=30)
    assert [await tokens.agent_of("Bearer secret") for _ in range(3)] == ["west-1"] * 3
    assert book.asked == 1
    now[0] = 31
    assert await tokens.agent_of("bearer  secret ") == "west-1"
    assert book.asked == 2


async def test_bad_answers_are_not_remembered() -> None:
    """A token that is added a moment later is good at once."""
    book = Book()
    tokens = Tokens(book.authenticate, lambda: 0)
    assert [await tokens.agent_of("Bearer guess") for _ in range(2)] == [None, None]
    assert book.asked == 2


async def test_other_schemes_are_not_asked_about() -> None:
    """What is no bearer token is no token."""
    book = Book()
    tokens = Tokens(book.authenticate, lambda: 0)
    assert [await tokens.agent_of(text) for text in ("", "Basic secret")] == [None, None]
    assert book.asked == 0


async def test_forgetting_asks_again() -> None:
    """After a change of the registry every answer is fetched anew."""
    book = Book()
    tokens = Tokens(book.authenticate, lambda: 0)
    await tokens.agent_of("Bearer secret")
    tokens.forget()
    await tokens.agent_of("Bearer secret")
    assert book.asked == 2
