"""Plugins by name: fake distributions on sys.path show what users of the registry meet."""

import subprocess
import sys
import textwrap

import pytest

from snnplast import registry
from snnplast.errors import UserError


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution with entry points and modules on sys.path, as pip would; plugins are rules by default."""

    def put(name, points, modules=None, group="snnplast.rules", folder="site", version="1.0"):
        site = tmp_path / folder
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = points if isinstance(points, str) else "\n".join(f"{k} = {v}" for k, v in points.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
        for module, code in (modules or {}).items():
            (site / f"{module}.py").write_text(textwrap.dedent(code))
            monkeypatch.delitem(sys.modules, module, raising=False)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))

    return put


@pytest.mark.parametrize(("kind", "some"), [("rule", "e-prop"), ("third-factor", "hsic"), ("model", "digits")])
def test_built_in_plugins_are_known_uninstalled(kind, some):
    assert some in registry.names(kind)
    assert registry.names(kind) == sorted(registry.names(kind))


def test_a_plugin_of_another_distribution_is_loaded_by_name(install):
    install(
        "my-rules", {"my-rule": "my_rules_a:Outer.Rule"}, {"my_rules_a": "class Outer:\n    class Rule: answer = 42"}
    )
    assert "my-rule" in registry.names("rule")
    assert "my-rule" not in registry.names("model")
    assert registry.load("rule", "my-rule").answer == 42


def test_listing_names_imports_no_plugin(install):
    install("my-rules", {"my-rule": "my_rules_b:Rule"}, {"my_rules_b": "Rule = 1"})
    registry.names("rule")
    assert "my_rules_b" not in sys.modules
    code = "import sys; from snnplast import registry; registry.names('rule'); print('brian2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_an_unknown_name_lists_the_known_and_the_nearest():
    with pytest.raises(
        UserError,
        match=r"unknown rule 'e-porp': did you mean 'e-prop'. Known: .*delta, .*e-prop, frozen, .*ib-hebbian, ",
    ):
        registry.load("rule", "e-porp")


def test_an_unknown_kind_is_a_programming_error():
    with pytest.raises(ValueError, match="unknown plugin kind 'rules': did you mean 'rule'"):
        registry.names("rules")


def test_a_name_offered_twice_names_both_distributions(install):
    install("first-rules", {"my-rule": "first_rules:Rule"})
    install("second-rules", {"my-rule": "second_rules:Rule"})
    assert registry.names("rule").count("my-rule") == 1
    with pytest.raises(
        UserError, match=r"rule 'my-rule' is offered by .* ('first-rules' and 'second|'second-rules' and 'first)-rules'"
    ):
        registry.load("rule", "my-rule")
    assert "uninstall all but one" in registry.broken("rule")["my-rule"]


def test_a_stranger_cannot_replace_a_built_in(install):
    install("sly-rules", {"e-prop": "sly_rules:Rule"}, {"sly_rules": "Rule = 1"})
    with pytest.raises(UserError, match="rule 'e-prop' is offered by the distributions 'snnplast' and 'sly-rules'"):
        registry.load("rule", "e-prop")


def test_an_installed_snnplast_does_not_clash_with_the_built_in_table(install, monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN["rule"], "mine", "own_rule:Rule")
    install("snnplast", {"mine": "own_rule:Rule"}, {"own_rule": "Rule = 7"})
    assert registry.load("rule", "mine") == 7


def test_an_older_copy_further_down_the_path_is_no_duplicate(install):
    install("My.Rules", {"my-rule": "my_rules_c:Rule"}, {"my_rules_c": "Rule = 'old'"}, folder="a", version="1.0")
    install("my-rules", {"my-rule": "my_rules_c:Rule"}, {"my_rules_c": "Rule = 'new'"}, folder="b", version="2.0")
    assert registry.load("rule", "my-rule") == "new"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import no_such_library", "ModuleNotFoundError .*: No module named 'no_such_library'"),
        ("Rule = (", "SyntaxError"),
        ("raise RuntimeError('first line\\nsecond')", "RuntimeError .*: first line$"),
        ("Other = 1", "AttributeError .* has no attribute 'Rule'"),
        ("import sys; sys.exit(3)", "SystemExit"),
    ],
)
def test_a_broken_plugin_is_reported_to_who_asks_and_harmless_to_others(install, code, cause):
    install(
        "bad-rules", {"bad": "bad_rules:Rule", "good": "good_rules:Rule"}, {"bad_rules": code, "good_rules": "Rule = 5"}
    )
    assert registry.load("rule", "good") == 5
    with pytest.raises(
        UserError, match=f"rule 'bad' of the distribution 'bad-rules' cannot be loaded: {cause}"
    ) as caught:
        registry.load("rule", "bad")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    reasons = registry.broken("rule")
    assert reasons["bad"] == str(caught.value)
    assert "good" not in reasons


def test_unreadable_metadata_of_a_stranger_is_harmless(install):
    install("torn", "this line has no equals sign")
    install("good-rules", {"good": "good_rules_d:Rule"}, {"good_rules_d": "Rule = 5"})
    assert registry.load("rule", "good") == 5
