"""The published Python clients, with and without asyncio, against a running installation; see README.md."""

import asyncio
import base64
import inspect
import time

import pytest
from e2b import InvalidArgumentException, NotFoundException, SandboxException, TimeoutException
from e2b_code_interpreter import AsyncSandbox, Sandbox
from e2b_code_interpreter.charts import ChartType, ScaleType

CLIENTS = {"sync": Sandbox, "async": AsyncSandbox}


async def of(answer):
    """What a call of either client answers."""
    return await answer if inspect.isawaitable(answer) else answer


@pytest.fixture(scope="module", params=CLIENTS)
async def client(request):
    return CLIENTS[request.param]


@pytest.fixture(scope="module")
async def sandbox(client):
    made = await of(client.create(timeout=300, envs={"GIVEN": "at creation"}, allow_internet_access=False))
    yield made
    await of(made.kill())


async def test_state_and_count(sandbox):
    first = await of(sandbox.run_code("x = 1; x"))
    second = await of(sandbox.run_code("x += 1; x"))
    assert (first.text, second.text) == ("1", "2")
    assert second.execution_count == first.execution_count + 1
    assert (await of(sandbox.run_code("x = 5"))).results == []
    # Another client of the same sandbox finds the same state.
    again = await of(type(sandbox).connect(sandbox.sandbox_id))
    assert (await of(again.run_code("x"))).text == "5"


async def test_output_is_streamed(sandbox):
    heard = []

    def hear(message):
        heard.append((message.line, message.error, time.monotonic()))

    execution = await of(sandbox.run_code(
        "import sys, time\nprint('a', flush=True); time.sleep(1)\nprint('b'); print('e', file=sys.stderr)", on_stdout=hear, on_stderr=hear))
    assert [(line, error) for line, error, _ in heard] == [("a\n", False), ("b\n", False), ("e\n", True)]
    assert heard[1][2] - heard[0][2] > 0.5
    assert execution.logs.stdout == ["a\n", "b\n"] and execution.logs.stderr == ["e\n"]


async def test_error_with_its_traceback(sandbox):
    heard = []
    execution = await of(sandbox.run_code("def f():\n    return 1 / 0\nf()", on_error=heard.append))
    assert (execution.error.name, execution.error.value) == ("ZeroDivisionError", "division by zero")
    assert "----> 3 f()" in execution.error.traceback and "in f()" in execution.error.traceback
    assert heard == [execution.error] and execution.text is None
    assert (await of(sandbox.run_code("1 +"))).error.name == "SyntaxError"


async def test_results_in_all_their_forms(sandbox):
    heard = []
    execution = await of(sandbox.run_code(
        "from IPython.display import *\n"
        "display(HTML('<b>h</b>')); display(Markdown('*m*')); display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')); display(Latex('$l$'))\n"
        "display(Javascript('1')); display(JSON({'k': [1]})); display({'x/own': 'mine', 'text/plain': 'p'}, raw=True)\n"
        "'the last'", on_result=heard.append))
    html, markdown, svg, latex, javascript, json, own, last = execution.results
    assert (html.html, markdown.markdown, latex.latex, javascript.javascript, json.json) == ("<b>h</b>", "*m*", "$l$", "1", {"k": [1]})
    assert svg.svg.startswith("<svg") and own.extra == {"x/own": "mine"} and own.text == "p"
    assert (last.text, last.is_main_result, execution.text) == ("the last", True, "the last")
    assert not any(one.is_main_result for one in execution.results[:-1]) and heard == execution.results


async def test_table(sandbox):
    result = (await of(sandbox.run_code("import pandas as pd; pd.DataFrame({'a': [1, 2], 'b': ['x', None]})"))).results[0]
    assert result.data == {"a": [1, 2], "b": ["x", None]}
    assert "<table" in result.html and result.is_main_result and {"text", "html", "data"} <= set(result.formats())


async def test_images(sandbox):
    execution = await of(sandbox.run_code(
        "from PIL import Image; import io\nfrom IPython.display import Image as Shown, display\n"
        "image = Image.new('RGB', (2, 2)); buffer = io.BytesIO(); image.save(buffer, 'JPEG'); display(Shown(buffer.getvalue(), format='jpeg')); image"))
    jpeg, png = execution.results
    assert base64.b64decode(jpeg.jpeg).startswith(b"\xff\xd8") and base64.b64decode(png.png).startswith(b"\x89PNG")


async def drawn(sandbox, code):
    execution = await of(sandbox.run_code(f"import matplotlib.pyplot as plt\nplt.figure()\n{code}\nplt.title('T'); plt.show()"))
    result = execution.results[-1]
    assert result.png, execution
    return result.chart


async def test_charts_of_points(sandbox):
    line = await drawn(sandbox, "plt.plot([1, 2], [3, 4], label='l'); plt.xlabel('time (s)'); plt.ylabel('y'); plt.yscale('log')")
    assert (line.type, line.title, line.x_label, line.x_unit, line.x_scale, line.y_scale) == (ChartType.LINE, "T", "time (s)", "s", ScaleType.LINEAR, ScaleType.LOG)
    assert (line.elements[0].label, line.elements[0].points) == ("l", [(1.0, 3.0), (2.0, 4.0)])
    scatter = await drawn(sandbox, "plt.scatter([1, 2], [3, 4], label='s')")
    assert (scatter.type, scatter.elements[0].points) == (ChartType.SCATTER, [(1.0, 3.0), (2.0, 4.0)])


async def test_charts_of_amounts(sandbox):
    bar = await drawn(sandbox, "plt.bar(['a', 'b'], [1, 2], label='g')")
    assert (bar.type, [(one.label, one.group, one.value) for one in bar.elements]) == (ChartType.BAR, [("a", "g", 1.0), ("b", "g", 2.0)])
    pie = await drawn(sandbox, "plt.pie([1, 3], labels=['a', 'b'])")
    assert (pie.type, [(one.label, one.angle) for one in pie.elements]) == (ChartType.PIE, [("a", 90.0), ("b", 270.0)])
    box = await drawn(sandbox, "plt.boxplot([[1, 2, 3], [2, 3, 9]], labels=['a', 'b'])")
    assert (box.type, [(one.label, one.min, one.median, one.max) for one in box.elements]) == (ChartType.BOX_AND_WHISKER, [("a", 1, 2, 3), ("b", 2, 3, 9)])


async def test_several_charts_in_one_picture(sandbox):
    chart = await drawn(sandbox, "_, axes = plt.subplots(1, 2); axes[0].plot([1, 2]); axes[1].bar(['a'], [1])")
    assert (chart.type, [one.type for one in chart.elements]) == (ChartType.SUPERCHART, [ChartType.LINE, ChartType.BAR])


@pytest.mark.parametrize("language, code, shown", [
    ("js", "const a = 1; const b = await Promise.resolve(2); a + b", "3"),
    ("javascript", "a + 10", "11"),
    ("ts", "const m: string = 'typed'; m", "typed"),
])
async def test_languages_with_values(sandbox, language, code, shown):
    assert (await of(sandbox.run_code(code, language=language))).text == shown


async def test_errors_of_other_languages(sandbox):
    thrown = (await of(sandbox.run_code("throw new TypeError('bad')", language="javascript"))).error
    assert (thrown.name, thrown.value) == ("TypeError", "bad") and "TypeError: bad" in thrown.traceback
    failed = (await of(sandbox.run_code("false", language="bash"))).error
    assert (failed.name, failed.value) == ("ExitStatus", "1")


async def test_bash(sandbox):
    await of(sandbox.run_code("cd /tmp; X=5", language="bash"))
    assert (await of(sandbox.run_code("echo $X $PWD $GIVEN", language="bash"))).logs.stdout == ["5 /tmp at creation\n"]


@pytest.mark.parametrize("language, code, without", [
    ("python", "import os; print(os.environ.get('V', 'gone'), os.environ.get('GIVEN'))", "gone at creation\n"),
    ("js", "console.log(process.env.V || 'gone', process.env.GIVEN)", "gone at creation\n"),
    ("bash", "echo ${V:-gone} $GIVEN", "gone at creation\n"),
])
async def test_environment_of_one_run(sandbox, language, code, without):
    assert "".join((await of(sandbox.run_code(code, language=language, envs={"V": "once", "GIVEN": "anew"}))).logs.stdout) == "once anew\n"
    assert "".join((await of(sandbox.run_code(code, language=language))).logs.stdout) == without


async def test_contexts(sandbox):
    context = await of(sandbox.create_code_context(cwd="/tmp", language="python"))
    assert (context.language, context.cwd) == ("python", "/tmp")
    assert (await of(sandbox.list_code_contexts()))[-1].id == context.id
    assert (await of(sandbox.run_code("import os; y = 1; os.getcwd()", context=context))).text == "/tmp"
    assert (await of(sandbox.run_code("y"))).error.name == "NameError"
    await of(sandbox.restart_code_context(context))
    assert (await of(sandbox.run_code("y", context=context))).error.name == "NameError"
    with pytest.raises(InvalidArgumentException):
        await of(sandbox.run_code("1", language="python", context=context))
    await of(sandbox.remove_code_context(context.id))
    assert context.id not in [one.id for one in await of(sandbox.list_code_contexts())]
    for gone in (sandbox.restart_code_context, sandbox.remove_code_context):
        with pytest.raises(NotFoundException):
            await of(gone(context))
    with pytest.raises(NotFoundException):
        await of(sandbox.run_code("1", context=context))


async def test_what_is_not_there_is_the_clients_own_error(sandbox):
    for language in ("r", "java", "no such kernel"):
        with pytest.raises(SandboxException, match=f"400 Bad Request: .*no kernel for '{language}'"):
            await of(sandbox.run_code("1", language=language))
    with pytest.raises(SandboxException, match="/nowhere"):
        await of(sandbox.create_code_context(cwd="/nowhere"))


async def test_commands_and_files_are_there_too(sandbox):
    await of(sandbox.files.write("/home/user/in.csv", "a,b\n1,2\n"))
    assert (await of(sandbox.run_code("import pandas as pd; int(pd.read_csv('in.csv').b[0])"))).text == "2"
    await of(sandbox.run_code("open('out', 'w').write('from python')"))
    assert await of(sandbox.files.read("/home/user/out")) == "from python"
    assert (await of(sandbox.commands.run("cat out"))).stdout == "from python"


async def test_a_client_that_gives_up_interrupts_the_run(sandbox):
    context = await of(sandbox.create_code_context())
    await of(sandbox.run_code("kept = 7", context=context))
    with pytest.raises(TimeoutException, match="'timeout' option"):
        await of(sandbox.run_code("import time; time.sleep(300)", timeout=2, context=context))
    assert (await of(sandbox.run_code("kept", timeout=60, context=context))).text == "7"


async def test_state_outlives_a_pause(client):
    made = await of(client.create(timeout=120, allow_internet_access=False))
    try:
        await of(made.run_code("z = 42"))
        await of(made.pause())
        again = await of(client.connect(made.sandbox_id))
        assert (await of(again.run_code("z"))).text == "42"
    finally:
        await of(made.kill())
    with pytest.raises(TimeoutException):
        await of(made.run_code("z"))


async def test_contexts_run_side_by_side_until_the_sandbox_is_killed():
    made = await AsyncSandbox.create(timeout=120, allow_internet_access=False)
    begun = asyncio.Event()
    waiting = asyncio.ensure_future(made.run_code("print('begun', flush=True); import time; time.sleep(300)", on_stdout=lambda _: begun.set()))
    await asyncio.wait_for(begun.wait(), 60)
    assert (await made.run_code("echo meanwhile", language="bash")).logs.stdout == ["meanwhile\n"]
    await made.kill()
    with pytest.raises(TimeoutException, match="killed while the request was in progress"):
        await asyncio.wait_for(waiting, 60)
