"""The published Python client against a running installation; see README.md."""

import base64
import time

import pytest
from e2b import InvalidArgumentException, NotFoundException, SandboxException, TimeoutException
from e2b_code_interpreter import AsyncSandbox, ChartType, Sandbox


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox.create(timeout=300, envs={"GIVEN": "at creation"}, allow_internet_access=False)
    yield made
    made.kill()


def test_state_and_count(sandbox):
    first = sandbox.run_code("x = 1; x")
    second = sandbox.run_code("x += 1; x")
    assert (first.text, second.text) == ("1", "2")
    assert second.execution_count == first.execution_count + 1


def test_output_is_streamed(sandbox):
    heard = []
    execution = sandbox.run_code(
        "import sys, time\nprint('a', flush=True); time.sleep(1)\nprint('b'); print('e', file=sys.stderr)",
        on_stdout=lambda message: heard.append((message.line, time.monotonic())), on_stderr=lambda message: heard.append((message.line, time.monotonic())))
    assert [line for line, _ in heard] == ["a\n", "b\n", "e\n"]
    assert heard[1][1] - heard[0][1] > 0.5
    assert execution.logs.stdout == ["a\n", "b\n"] and execution.logs.stderr == ["e\n"]


def test_error(sandbox):
    execution = sandbox.run_code("def f():\n    return 1 / 0\nf()")
    assert (execution.error.name, execution.error.value) == ("ZeroDivisionError", "division by zero")
    assert "f()" in execution.error.traceback and execution.text is None


def test_table(sandbox):
    result = sandbox.run_code("import pandas as pd; pd.DataFrame({'a': [1, 2], 'b': ['x', None]})").results[0]
    assert result.data == {"a": [1, 2], "b": ["x", None]}
    assert "<table" in result.html and result.is_main_result


def test_image(sandbox):
    result = sandbox.run_code("from PIL import Image; Image.new('RGB', (2, 2))").results[0]
    assert base64.b64decode(result.png).startswith(b"\x89PNG")


@pytest.mark.parametrize("code, kind", [
    ("plt.plot([1, 2], [3, 4], label='l')", ChartType.LINE),
    ("plt.scatter([1, 2], [3, 4])", ChartType.SCATTER),
    ("plt.bar(['a', 'b'], [1, 2])", ChartType.BAR),
    ("plt.pie([1, 3], labels=['a', 'b'])", ChartType.PIE),
    ("plt.boxplot([[1, 2, 3], [2, 3, 9]])", ChartType.BOX_AND_WHISKER),
    ("_, axes = plt.subplots(1, 2); axes[0].plot([1, 2]); axes[1].bar(['a'], [1])", ChartType.SUPERCHART),
])
def test_charts(sandbox, code, kind):
    result = sandbox.run_code(f"import matplotlib.pyplot as plt\nplt.figure()\n{code}\nplt.title('T'); plt.show()").results[-1]
    assert result.png and result.chart.type == kind
    assert len(result.chart.elements) >= 1


@pytest.mark.parametrize("language, code, shown", [
    ("js", "const a = 1; const b = await Promise.resolve(2); a + b", "3"),
    ("ts", "const m: string = 'typed'; m", "typed"),
])
def test_languages_with_values(sandbox, language, code, shown):
    assert sandbox.run_code(code, language=language).text == shown


def test_bash(sandbox):
    sandbox.run_code("cd /tmp; X=5", language="bash")
    assert sandbox.run_code("echo $X $PWD $GIVEN", language="bash").logs.stdout == ["5 /tmp at creation\n"]


def test_environment_of_one_run(sandbox):
    assert sandbox.run_code("import os; os.environ.get('V')", envs={"V": "once"}).text == "once"
    assert sandbox.run_code("os.environ.get('V', 'gone')").text == "gone"
    assert sandbox.run_code("os.environ['GIVEN']").text == "at creation"


def test_contexts(sandbox):
    context = sandbox.create_code_context(cwd="/tmp", language="python")
    assert sandbox.list_code_contexts()[-1].id == context.id
    assert sandbox.run_code("import os; y = 1; os.getcwd()", context=context).text == "/tmp"
    assert sandbox.run_code("y").error.name == "NameError"
    sandbox.restart_code_context(context)
    assert sandbox.run_code("y", context=context).error.name == "NameError"
    sandbox.remove_code_context(context)
    assert context.id not in [one.id for one in sandbox.list_code_contexts()]
    with pytest.raises(NotFoundException):
        sandbox.run_code("1", context=context)
    with pytest.raises((InvalidArgumentException, SandboxException)):
        sandbox.run_code("1", language="python", context=context)


def test_a_kernel_that_is_not_there(sandbox):
    with pytest.raises(SandboxException, match="no kernel for 'r'"):
        sandbox.run_code("1", language="r")


def test_a_client_that_gives_up_interrupts_the_run(sandbox):
    sandbox.run_code("kept = 7")
    with pytest.raises(TimeoutException):
        sandbox.run_code("import time; time.sleep(300)", timeout=3)
    assert sandbox.run_code("kept", timeout=20).text == "7"


async def test_async_client():
    made = await AsyncSandbox.create(timeout=60, allow_internet_access=False)
    try:
        assert (await made.run_code("1 + 1")).text == "2"
    finally:
        await made.kill()
