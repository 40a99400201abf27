from __future__ import annotations

import pytest
from support.server import png

from moeclip_cli.server.products import Product

CLIENTS = 50


def test_pictures_that_arrive_together_are_scored_together(live, inspector):
    bodies = [png(number, 30 + number % 7, 50) for number in range(CLIENTS)]
    server = live(batch_size=8)
    replies = server.together(bodies)
    assert {reply.status for reply in replies} == {200}
    expected = inspector.score(bodies, prompt="part", batch_size=1)
    for reply, result in zip(replies, expected, strict=True):
        assert reply.json["score"] == pytest.approx(result.score, abs=1e-5)
        assert (reply.json["width"], reply.json["height"]) == (result.width, result.height)
    assert server.metric("moeclip_batch_pictures_sum") == CLIENTS
    assert server.metric("moeclip_batch_pictures_count") < CLIENTS
    assert server.metric("moeclip_pictures_total") == CLIENTS


def test_a_batch_has_at_most_the_permitted_number_of_pictures(live, held):
    server = live(batch_size=3, products={"part": Product("part", "part", held)})
    held.go_on.set()
    server.together([png(number) for number in range(12)])
    largest = [
        line for line in server.get("/metrics").content.decode().splitlines()
        if line.startswith("moeclip_batch_pictures_bucket") and 'le="4.0"' in line
    ]  # fmt: skip
    assert float(largest[0].split()[1]) == server.metric("moeclip_batch_pictures_count")


def test_products_are_not_mixed(live, inspector):
    products = {name: Product(name, name, inspector) for name in ("bolt", "nut")}
    server = live(products=products, batch_size=8)
    body = png()
    found = {name: server.together([body] * 6, f"?profile={name}") for name in products}
    for name, replies in found.items():
        assert [reply.json["prompt"] for reply in replies] == [name] * 6


def test_an_error_of_the_model_is_an_answer_and_the_thread_goes_on(live, held, picture):
    class Failing:
        fails = True

        def __getattr__(self, name):
            return getattr(held, name)

        def score(self, *args, **options):
            if self.fails:
                raise RuntimeError("secret of the machine")
            return held.score(*args, **options)

    held.go_on.set()
    failing = Failing()
    server = live(products={"part": Product("part", "part", failing)})
    reply = server.inspect(picture)
    assert reply.problem(500) == "There is an internal error; the server's log names it."
    assert [str(error) for error in server.failures] == ["secret of the machine"]
    server.failures.clear()
    failing.fails = False
    assert server.inspect(picture).status == 200
