"""The `local` target: what it wants, sees and does, with pretended servers."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.plan import Step
from data_platform.targets import claims
from data_platform.targets.local.target import LocalTarget
from tests.unit.targets.local.conftest import again, deploy, short, steps

if TYPE_CHECKING:
    from tests.conftest import Tiny
    from tests.unit.targets.local.conftest import PretendedSupervisor, Servers


ALL = {"artifact", "file", "job", "process"}


def test_everything_is_missing_at_first(place: LocalTarget) -> None:
    assert short(steps(place)) == [
        "fetch artifact shell",
        "fetch artifact program",
        "write file more/plain.txt",
        "write file reader.conf",
        "write file tokens.json",
        "run job prepare",
        "run job announce",
        "start process server",
    ]


def test_nothing_is_left_to_do_after_a_deploy(place: LocalTarget) -> None:
    deploy(place)
    assert {resource.kind for resource in place.wanted("reader")} == ALL
    assert steps(place) == []
    assert steps(again(place)) == []


def test_what_was_deployed_is_there(place: LocalTarget) -> None:
    deploy(place)
    token = place.credentials("reader")["token"]
    etc, data = place.state.etc("reader"), place.state.data("reader")
    assert (etc / "reader.conf").read_text() == f"token={token}\n"
    assert (etc / "more" / "plain.txt").read_text() == "{{ left as it is }}\n"
    # A secret that a job does not name is not in its environment, though the component holds it.
    assert (data / "announced").read_text() == f"announced {token}, and no more\n"
    program = place._placed("reader")["program"].folder / "program"
    assert program.read_text() == "source\ntool\n"


def test_a_changed_template_is_written_and_restarts_its_process_alone(place: LocalTarget, tiny: Tiny) -> None:
    deploy(place)
    with (tiny.folder("reader") / "etc" / "reader.conf.j2").open("a") as stream:
        stream.write("more=1\n")
    changed = again(place)
    assert "write file reader.conf" in short(steps(changed))
    assert "restart process server" in short(steps(changed))
    assert not {"fetch artifact program", "run job prepare"} & set(short(steps(changed)))


def test_a_file_edited_by_hand_is_written_again_and_the_reason_says_so(place: LocalTarget) -> None:
    deploy(place)
    with (place.state.etc("reader") / "reader.conf").open("a") as stream:
        stream.write("by hand\n")
    (step,) = steps(place)
    assert (step.verb, step.name) == ("write", "reader.conf")
    assert "edited by hand" in step.reason
    deploy(place)
    assert steps(place) == []


def test_a_file_that_others_can_read_is_closed_again(place: LocalTarget) -> None:
    deploy(place)
    path = place.state.etc("reader") / "reader.conf"
    path.chmod(0o644)
    (step,) = steps(place)
    assert (step.verb, step.name, step.reason) == ("write", "reader.conf", "others can read it")
    deploy(place)
    assert path.stat().st_mode & 0o777 == 0o600
    assert steps(place) == []


def test_what_others_make_for_it_is_no_step_of_its_own(place: LocalTarget) -> None:
    assert "claim" not in {resource.kind for resource in place.wanted("reader")}
    assert short(steps(place, "postgresql")) == ["make database reader", "make database checks"]


@pytest.mark.parametrize("dropped", ["database reader", "bucket results"])
def test_the_jobs_that_fill_it_run_again_when_its_data_was_dropped(
    place: LocalTarget, servers: Servers, dropped: str
) -> None:
    deploy(place)
    servers.made = [seen for seen in servers.made if seen.name != dropped]
    (provider,) = {"database reader": ["postgresql"], "bucket results": ["minio"]}[dropped]
    assert short(steps(place, provider)) == [f"make {dropped}"]
    assert short(steps(place)) == ["run job announce"]
    deploy(place)
    assert steps(place) == []


def test_a_user_that_was_removed_or_the_data_of_another_holder_runs_no_job_again(
    place: LocalTarget, servers: Servers
) -> None:
    deploy(place)
    others = {"s3_user reader", "database checks", "bucket raw"}
    assert others <= {seen.name for seen in servers.made}
    servers.made = [seen for seen in servers.made if seen.name not in others]
    assert steps(place) == []


def test_no_job_runs_again_because_a_server_does_not_answer(place: LocalTarget, servers: Servers) -> None:
    deploy(place)
    servers.up = False
    assert [step.reason for step in steps(place, "postgresql")] == ["it does not answer"] * 2
    assert steps(place) == []


def test_a_file_that_was_dropped_into_etc_is_removed(place: LocalTarget) -> None:
    deploy(place)
    stranger = place.state.etc("reader") / "more" / "stranger.txt"
    stranger.write_text("x")
    assert short(steps(place)) == ["remove file more/stranger.txt"]
    deploy(place)
    assert not stranger.exists()


def test_a_changed_watched_file_restarts_the_process_and_nothing_else(place: LocalTarget, tiny: Tiny) -> None:
    deploy(place)
    (tiny.root / "watched" / "code.py").write_text("two = 2\n")
    assert short(steps(again(place))) == ["restart process server"]


def test_a_changed_source_is_built_again_and_restarts_what_runs_it(
    place: LocalTarget, tiny: Tiny, supervisor: PretendedSupervisor
) -> None:
    deploy(place)
    (tiny.folder("reader") / "source.txt").write_text("other\n")
    changed = again(place)
    assert short(steps(changed))[0] == "fetch artifact program"
    assert "restart process server" in short(steps(changed))
    deploy(changed)
    assert supervisor.started == ["reader.server", "reader.server"]
    assert steps(changed) == []


def test_a_process_that_the_supervisor_gave_up_is_started_with_its_state_as_reason(
    place: LocalTarget, supervisor: PretendedSupervisor
) -> None:
    deploy(place)
    supervisor.programs["reader.server"] = "FATAL"
    (step,) = steps(place)
    assert (step.verb, step.kind, step.reason) == ("start", "process", "it is FATAL")


def test_an_undeclared_process_is_stopped_and_forgotten(
    place: LocalTarget, tiny: Tiny, supervisor: PretendedSupervisor
) -> None:
    deploy(place)
    tiny.edit(tiny.local("reader"), lambda c: c["processes"].update(worker=c["processes"].pop("server")))
    renamed = again(place)
    assert short(steps(renamed)) == ["stop process server", "start process worker"]
    deploy(renamed)
    assert supervisor.programs == {"reader.worker": "RUNNING"}
    assert not (place.state.run / "programs" / "reader.server.conf").exists()
    assert steps(renamed) == []


def test_processes_of_other_components_are_not_mine(place: LocalTarget, supervisor: PretendedSupervisor) -> None:
    supervisor.programs |= {"reader2.server": "RUNNING", "portal.server": "RUNNING"}
    assert place.processes("reader") == {}


def test_a_job_with_creates_runs_once_whatever_changes(place: LocalTarget, tiny: Tiny) -> None:
    deploy(place)
    tiny.edit(tiny.local("reader"), lambda c: c["jobs"]["prepare"].update(command=["false"]))
    tiny.edit(tiny.local("reader"), lambda c: c["jobs"]["announce"]["command"].append("changed"))
    assert [step.name for step in steps(again(place)) if step.kind == "job"] == ["announce"]


def test_a_job_that_fails_says_where_its_log_is_and_is_not_recorded(place: LocalTarget, tiny: Tiny) -> None:
    tiny.edit(
        tiny.local("reader"), lambda c: c["jobs"].update(prepare={"command": ["sh", "-c", "echo no luck; exit 3"]})
    )
    broken = again(place)
    with pytest.raises(PlatformError, match="reader: job prepare: sh ended with 3") as caught:
        deploy(broken)
    assert "no luck" in caught.value.problem
    log = broken.state.logs / "reader.prepare.log"
    assert str(log) in caught.value.remedy
    assert log.read_text() == "no luck\n"
    assert "run job prepare" in short(steps(broken))


def test_what_a_server_makes_is_made_after_it_takes_requests(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(LocalTarget, "wait", lambda _, component: happened.append(f"wait {component}"))
    monkeypatch.setattr(claims, "carry_out", lambda _place, _provider, step: happened.append(f"make {step.name}"))
    made = [
        "make bucket results",
        "make bucket raw",
        "make s3_user reader",
        "make s3_user pipelines",
        "make s3_user checks",
    ]
    assert short(steps(place, "minio")) == made
    place.apply("minio", steps(place, "minio"))
    assert happened == ["wait minio", *made]


def test_a_server_that_is_restarted_is_waited_for_again(place: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(place)
    happened: list[str] = []
    monkeypatch.setattr(LocalTarget, "wait", lambda *_: happened.append("wait"))
    monkeypatch.setattr(LocalTarget, "_apply_process", lambda *_: happened.append("restart"))
    monkeypatch.setattr(claims, "carry_out", lambda *words: happened.append(words[-1].verb))
    kinds = (("revoke", "claim"), ("restart", "process"), ("make", "claim"), ("make", "claim"))
    place.apply("reader", [Step(verb=verb, kind=kind, name="x", reason="any") for verb, kind in kinds])  # type: ignore[arg-type]
    assert happened == ["wait", "revoke", "restart", "wait", "make", "make"]


def test_a_component_reached_by_its_capability_is_the_provider(place: LocalTarget) -> None:
    assert place.address("s3", "http") == place.address("minio", "http")
    # On one machine, components reach each other as we do.
    assert place.internal_address("s3", "http") == place.address("minio", "http")
    assert place.credentials("s3") == place.credentials("minio")


def test_an_unknown_endpoint_is_refused_with_the_known_ones(place: LocalTarget) -> None:
    with pytest.raises(PlatformError, match="reader has no endpoint 'grpc'") as caught:
        place.address("reader", "grpc")
    assert caught.value.remedy == "use one of: http"


def test_all_servers_are_on_loopback(place: LocalTarget) -> None:
    addresses = [place.address(n, e) for n, i in place.stack.components.items() for e in i.component.endpoints]
    assert len(addresses) == 4
    assert {address.host for address in addresses} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("state", "condition"),
    [
        ("RUNNING", "running"),
        ("STARTING", "starting"),
        ("BACKOFF", "starting"),
        ("FATAL", "failed"),
        ("EXITED", "failed"),
        ("STOPPED", "stopped"),
    ],
)
def test_the_condition_is_one_word(
    place: LocalTarget, supervisor: PretendedSupervisor, state: str, condition: str
) -> None:
    deploy(place)
    supervisor.programs["reader.server"] = state
    assert place.condition("reader") == condition


def test_a_component_that_was_never_started_is_absent(place: LocalTarget) -> None:
    assert place.condition("reader") == "absent"


def test_a_component_without_processes_is_installed_once_it_is_there(place: LocalTarget) -> None:
    assert place.condition("minio") == "absent"
    deploy(place, "minio")
    assert place.condition("minio") == "installed"


def test_without_a_supervisor_no_process_is_seen(place: LocalTarget, supervisor: PretendedSupervisor) -> None:
    deploy(place)
    place.state.socket.unlink()
    assert place.processes("reader") == {}
    assert supervisor.programs != {}


def test_waiting_for_a_server_that_gives_up_ends_at_once_with_its_log(
    place: LocalTarget, supervisor: PretendedSupervisor
) -> None:
    deploy(place)
    supervisor.programs["reader.server"] = "FATAL"
    (place.state.logs / "reader.server.log").write_text("early\nthe last words\n")
    with pytest.raises(PlatformError, match="ends again and again") as caught:
        place.wait("reader")
    assert "the last words" in caught.value.problem
    assert "reader.server.log" in caught.value.remedy


def test_waiting_ends_at_the_deadline_with_what_the_server_says(place: LocalTarget, tiny: Tiny) -> None:
    ready = {"command": ["sh", "-c", "echo not yet; exit 1"], "within": "0.3s"}
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(ready=ready))
    slow = again(place)
    with pytest.raises(PlatformError, match=r"reader\.server takes no requests after 0 s: not yet \(it is RUNNING\)"):
        deploy(slow)


def test_a_look_that_hangs_is_ended_and_the_next_one_finds_the_server_ready(place: LocalTarget, tiny: Tiny) -> None:
    asked = place.state.folder / "asked"
    # As a server that takes the connection and does not answer: it hangs once, with a child that holds its output.
    once = f"test -e {asked} && exit 0; touch {asked}; sleep 600 & wait"
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(
        ready={"command": ["sh", "-c", once], "within": "8s"}
    ))  # fmt: skip
    deploy(again(place))
    assert asked.exists()


def test_a_look_that_always_hangs_ends_at_the_deadline_with_its_own_words(place: LocalTarget, tiny: Tiny) -> None:
    ready = {"command": ["sh", "-c", "echo connecting; sleep 600"], "within": "0.4s"}
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(ready=ready))
    said = r"takes no requests after 0 s: sh did not end within 1 s \(it is RUNNING\)\nconnecting"
    with pytest.raises(PlatformError, match=said):
        deploy(again(place))


def test_a_look_whose_program_is_not_there_is_told_at_once(place: LocalTarget, tiny: Tiny) -> None:
    ready = {"command": ["no-such-program"], "within": "1h"}
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(ready=ready))
    with pytest.raises(PlatformError, match=r"reader\.server\.ready: .*program no-such-program is not there"):
        deploy(again(place))


def test_a_page_that_answers_makes_a_process_ready(
    place: LocalTarget, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def answers(url: str, contains: str, ca: str | None) -> str:
        assert ca is None
        asked.append((url, contains))
        return "" if len(asked) > 1 else "connection refused"

    monkeypatch.setattr("data_platform.clients.http.answers", answers)
    ready = {"http": "{{ READER_HTTP_URL }}/health", "contains": "up", "within": "5s"}
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(ready=ready))
    deploy(again(place))
    assert asked == [(f"{place.address('reader', 'http').url}/health", "up")] * 2


def test_a_tool_runs_with_the_bindings_of_its_component(place: LocalTarget) -> None:
    deploy(place)
    found = place.run_tool("reader", "say", ["more"], seconds=60)
    assert found == (0, f"{place.address('reader', 'http').port} more\n")


def test_a_tool_of_a_component_without_files_and_processes_has_a_working_folder(place: LocalTarget) -> None:
    deploy(place)
    shutil.rmtree(place.state.data("reader"))
    assert place.run_tool("reader", "say", ["more"], seconds=60).returncode == 0


def test_a_tool_gets_its_own_environment_and_of_the_callers_only_what_it_inherits(
    place: LocalTarget, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "what the caller says")
    monkeypatch.setenv("OTHER", "of the caller")
    before = place.tool_command("reader", "say", ["more"])
    assert before.argv[-3:] == ["echo", str(place.address("reader", "http").port), "more"]
    assert before.environment["WORD"] == place.credentials("reader")["token"]
    assert not {"READER_TOKEN", "S3_SECRET_KEY", "READER_DATABASE_PASSWORD"} & before.environment.keys()
    tiny.edit(tiny.local("reader"), lambda c: c["tools"]["say"].update(inherit=["WO*"]))
    after = again(place).tool_command("reader", "say", [])
    assert after.environment["WORD"] == "what the caller says"
    assert "OTHER" not in after.environment


def test_an_unknown_tool_is_named_with_those_there_are(place: LocalTarget) -> None:
    with pytest.raises(PlatformError, match=r"reader has no tool 'sing'\n.*use one of its tools: say"):
        place.tool_command("reader", "sing", [])


def test_a_tool_that_takes_too_long_is_ended_and_says_so(place: LocalTarget, tiny: Tiny) -> None:
    tiny.edit(tiny.local("reader"), lambda c: c["tools"]["say"].update(command=["sleep", "600"]))
    slow = again(place)
    deploy(slow)
    returncode, output = slow.run_tool("reader", "say", [], seconds=0.3)
    assert returncode == -1
    assert output == "\nnot done after 0 s"


def test_logs_are_the_last_lines_of_each_process(place: LocalTarget) -> None:
    place.state.logs.mkdir(parents=True)
    log = place.state.logs / "reader.server.log"
    log.write_text("".join(f"line {n}\n" for n in range(100)))
    assert place.logs("reader", 2) == f"--- {log}\nline 98\nline 99"


def test_a_launch_file_is_private_and_holds_what_a_program_section_does_not(place: LocalTarget) -> None:
    deploy(place)
    launch_file = place.state.run / "launch" / "reader.server.json"
    section = place.state.run / "programs" / "reader.server.conf"
    assert launch_file.stat().st_mode & 0o777 == 0o600
    launch = json.loads(launch_file.read_text())
    token = place.credentials("reader")["token"]
    assert launch["environment"]["TOKEN"] == token
    # What it holds and does not name is not there, under any name.
    assert not {"READER_TOKEN", "S3_SECRET_KEY", "READER_DATABASE_PASSWORD"} & launch["environment"].keys()
    others = [
        value for key, value in place.credentials("reader").items() if key in ("s3_secret_key", "database_password")
    ]
    assert [value for value in others if value in json.dumps(launch)] == []
    assert launch["environment"]["S3_ACCESS_KEY"] == "reader"
    assert token not in section.read_text()
    assert token not in " ".join(launch["command"])
    assert "autorestart=true" in section.read_text()


def test_a_process_gets_the_names_it_inherits_and_no_others(
    place: LocalTarget, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.invalid")
    monkeypatch.setenv("UNRELATED_TOKEN", "x")
    tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(inherit=["PIP_*"]))
    deploy(again(place))
    environment = json.loads((place.state.run / "launch" / "reader.server.json").read_text())["environment"]
    assert environment["PIP_INDEX_URL"] == "https://mirror.invalid"
    assert "UNRELATED_TOKEN" not in environment
    assert environment["NO_PROXY"] == "127.0.0.1"


def test_a_process_has_the_platforms_cache_locale_and_zone_whatever_the_caller_has(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATA_PLATFORM_CACHE")
    monkeypatch.setenv("LANG", "de_DE.ISO-8859-1")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    deploy(place)
    launch = json.loads((place.state.run / "launch" / "reader.server.json").read_text())
    told = launch["environment"]
    assert (told["DATA_PLATFORM_CACHE"], told["LANG"], told["TZ"]) == (str(place.cache), "C.UTF-8", "UTC")
    assert "-X utf8" in (place.state.run / "programs" / "reader.server.conf").read_text()


def test_a_caller_with_another_environment_sees_no_change(place: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(place)
    monkeypatch.setenv("PATH", "/elsewhere")
    monkeypatch.setenv("LANG", "xx")
    assert steps(again(place)) == []


def test_people_open_the_address_on_this_machine_until_there_is_a_domain(place: LocalTarget) -> None:
    assert place.public_url("reader", "http") == place.address("reader", "http").url
    entered = LocalTarget(place.stack, place.state, {"domain": "data.example"})
    assert entered.public_url("reader", "http") == "https://reader.data.example"
    assert entered._bindings("reader").open["READER_HTTP_PUBLIC_URL"] == "https://reader.data.example"
    assert entered._bindings("reader").open["READER_HTTP_URL"] == place.address("reader", "http").url
    for either in (place, entered):
        with pytest.raises(PlatformError, match=r"minio\.http is no page that people open"):
            either.public_url("s3", "http")


def test_the_past_is_kept_as_the_settings_say(place: LocalTarget) -> None:
    assert (place.retention.runs_days, place.retention.logs_days) == (90, 30)
    told = LocalTarget(place.stack, place.state, {"retention": {"runs_days": 14}})
    assert (told.retention.runs_days, told.retention.logs_days) == (14, 30)
