"""The assignment, as this agent takes it."""

import pytest

from faultline_agent.orders import read_assignment, read_duty, write_assignment
from faultline_agent.policy import Policy, network
from faultline_agent.uplinks.uplink import AssignedTarget, Assignment
from tests.agent.stage import assigned

HOME = Policy(networks=(network("127.0.0.0/8"),))


def duty_of(*targets: AssignedTarget, policy: Policy = HOME) -> tuple[list[str], dict[str, str]]:
    """The ids that are probed, and the sentences about those that are refused."""
    duty = read_duty(Assignment("v1", targets), policy)
    return [target.target_id for target, _ in duty.probes], dict(duty.refused)


def test_good_targets_are_probed_though_others_are_refused() -> None:
    """One bad target costs itself only."""
    probed, refused = duty_of(assigned("good"), assigned("bad", host="127.0.0.1", port=70_000))
    assert probed == ["good"]
    assert list(refused) == ["bad"]
    assert "70000" in refused["bad"]


@pytest.mark.parametrize(
    ("target", "policy", "sentence"),
    [
        (AssignedTarget("x", "smoke", {}, 10, 0), HOME, "this agent knows no 'smoke' probes"),
        (assigned("x", 0.1), HOME, "an interval of 0.1 s is too short"),
        (assigned("x"), Policy(kinds=("http",)), "this agent's policy allows no tcp probes"),
        (
            assigned("x"),
            Policy(),
            "127.0.0.1 is not a public address, and this agent's policy does not allow it",
        ),
        (
            assigned("x", extra=1, host="127.0.0.1", port=9),
            HOME,
            "extra is not a known setting; known are host, port, family, send, expect",
        ),
    ],
)
def test_refused_target_gets_a_sentence(target: AssignedTarget, policy: Policy, sentence: str) -> None:
    """The operator reads it in the status."""
    assert duty_of(target, policy=policy) == ([], {"x": sentence})


def test_kept_assignment_is_read_as_it_was() -> None:
    """A restarted agent goes on without its collector."""
    assignment = Assignment("v9", (assigned("web", 30.0, 2.5), assigned("api")))
    assert read_assignment(write_assignment(assignment)) == assignment


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "v", "targets": [{"x": 1}]}', "5"])
def test_what_is_no_assignment_is_not_taken_for_one(text: str) -> None:
    """An older agent may have kept something else."""
    with pytest.raises(ValueError, match=r".*"):
        read_assignment(text)
