// The published JavaScript client against a running installation; see README.md.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { InvalidArgumentError, NotFoundError, Sandbox, SandboxError, TimeoutError } from '@e2b/code-interpreter'

let sandbox
before(async () => { sandbox = await Sandbox.create({ timeoutMs: 300_000, envs: { GIVEN: 'at creation' }, allowInternetAccess: false }) })
after(async () => { await sandbox?.kill() })

test('state and count', async () => {
    const first = await sandbox.runCode('x = 1; x')
    const second = await sandbox.runCode('x += 1; x')
    assert.deepEqual([first.text, second.text], ['1', '2'])
    assert.equal(second.executionCount, first.executionCount + 1)
    assert.equal((await (await Sandbox.connect(sandbox.sandboxId)).runCode('x')).text, '2')
})

test('output and errors', async () => {
    const heard = []
    const hear = one => heard.push([one.line, one.error])
    const execution = await sandbox.runCode("import sys; print('a'); print('e', file=sys.stderr); 1/0", { onStdout: hear, onStderr: hear, onError: one => heard.push(one.name) })
    assert.deepEqual(heard, [['a\n', false], ['e\n', true], 'ZeroDivisionError'])
    assert.deepEqual([execution.error.name, execution.error.value], ['ZeroDivisionError', 'division by zero'])
    assert.match(execution.error.traceback, /----> 1 /)
    assert.deepEqual(execution.logs, { stdout: ['a\n'], stderr: ['e\n'] })
})

test('results in all their forms', async () => {
    const { results } = await sandbox.runCode(
        "from IPython.display import *\ndisplay(HTML('<b>h</b>')); display(Markdown('*m*')); display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')); display(Latex('$l$'))\n"
        + "display(Javascript('1')); display(JSON({'k': [1]}))\n'the last'")
    const [html, markdown, svg, latex, javascript, json, last] = results
    assert.deepEqual([html.html, markdown.markdown, latex.latex, javascript.javascript, json.json], ['<b>h</b>', '*m*', '$l$', '1', { k: [1] }])
    assert.ok(svg.svg.startsWith('<svg'))
    assert.deepEqual([last.text, last.isMainResult, html.isMainResult], ['the last', true, false])
})

test('table, image and chart', async () => {
    const table = await sandbox.runCode("import pandas as pd; pd.DataFrame({'a': [1, 2]})")
    assert.deepEqual(table.results[0].data, { a: [1, 2] })
    const drawn = await sandbox.runCode("import matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 2]); plt.title('T'); plt.show()")
    assert.ok(Buffer.from(drawn.results[0].png, 'base64').subarray(1, 4).equals(Buffer.from('PNG')))
    assert.equal(drawn.results[0].chart.type, 'bar')
    assert.deepEqual(drawn.results[0].chart.elements.map(one => [one.label, one.value]), [['a', 1], ['b', 2]])
})

test('languages', async () => {
    assert.equal((await sandbox.runCode("await Promise.resolve('js')", { language: 'js' })).text, 'js')
    assert.equal((await sandbox.runCode("const m: string = 'ts'; m", { language: 'ts' })).text, 'ts')
    assert.deepEqual((await sandbox.runCode('cd /tmp; echo $GIVEN $PWD', { language: 'bash' })).logs.stdout, ['at creation /tmp\n'])
    const { error } = await sandbox.runCode("throw new TypeError('bad')", { language: 'javascript' })
    assert.deepEqual([error.name, error.value], ['TypeError', 'bad'])
    await assert.rejects(sandbox.runCode('1', { language: 'r' }), e => e instanceof SandboxError && /^400 Bad Request/.test(e.message))
})

test('environment of one run', async () => {
    assert.equal((await sandbox.runCode("import os; os.environ.get('V')", { envs: { V: 'once' } })).text, 'once')
    assert.equal((await sandbox.runCode("os.environ.get('V', 'gone')")).text, 'gone')
})

test('contexts', async () => {
    const context = await sandbox.createCodeContext({ cwd: '/tmp' })
    assert.deepEqual([context.language, context.cwd], ['python', '/tmp'])
    assert.equal((await sandbox.runCode('import os; y = 1; os.getcwd()', { context })).text, '/tmp')
    assert.equal((await sandbox.runCode('y')).error.name, 'NameError')
    await sandbox.restartCodeContext(context)
    assert.equal((await sandbox.runCode('y', { context })).error.name, 'NameError')
    await assert.rejects(sandbox.runCode('1', { context, language: 'python' }), InvalidArgumentError)
    await sandbox.removeCodeContext(context.id)
    assert.ok(!(await sandbox.listCodeContexts()).some(one => one.id === context.id))
    await assert.rejects(sandbox.runCode('1', { context }), NotFoundError)
    await assert.rejects(sandbox.removeCodeContext(context), NotFoundError)
})

test('a client that gives up interrupts the run', async () => {
    await sandbox.runCode('kept = 7')
    await assert.rejects(sandbox.runCode('import time; time.sleep(300)', { timeoutMs: 2_000 }), e => e instanceof TimeoutError && /'timeoutMs' option/.test(e.message))
    assert.equal((await sandbox.runCode('kept', { timeoutMs: 60_000 })).text, '7')
})

test('a sandbox that is killed ends its runs', async () => {
    const other = await Sandbox.create({ timeoutMs: 120_000, allowInternetAccess: false })
    let begun
    const first = new Promise(resolve => (begun = resolve))
    const waiting = assert.rejects(other.runCode("print('begun', flush=True); import time; time.sleep(300)", { onStdout: begun }), e => e instanceof TimeoutError && /was killed/.test(e.message))
    await first
    await other.kill()
    await waiting
    await assert.rejects(other.runCode('1'), TimeoutError)
})
