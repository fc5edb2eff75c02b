// The published JavaScript client against a running installation; see README.md.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Sandbox } from '@e2b/code-interpreter'

let sandbox
before(async () => { sandbox = await Sandbox.create({ timeoutMs: 300_000, envs: { GIVEN: 'at creation' }, allowInternetAccess: false }) })
after(async () => { await sandbox?.kill() })

test('state and count', async () => {
    const first = await sandbox.runCode('x = 1; x')
    const second = await sandbox.runCode('x += 1; x')
    assert.deepEqual([first.text, second.text], ['1', '2'])
    assert.equal(second.executionCount, first.executionCount + 1)
})

test('output and errors', async () => {
    const heard = []
    const execution = await sandbox.runCode("import sys; print('a'); print('e', file=sys.stderr); 1/0", { onStdout: one => heard.push(one.line), onStderr: one => heard.push(one.line) })
    assert.deepEqual(heard, ['a\n', 'e\n'])
    assert.equal(execution.error.name, 'ZeroDivisionError')
})

test('table, image and chart', async () => {
    const table = await sandbox.runCode("import pandas as pd; pd.DataFrame({'a': [1, 2]})")
    assert.deepEqual(table.results[0].data, { a: [1, 2] })
    const drawn = await sandbox.runCode("import matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 2]); plt.title('T'); plt.show()")
    assert.ok(drawn.results[0].png)
    assert.equal(drawn.results[0].chart.type, 'bar')
    assert.deepEqual(drawn.results[0].chart.elements.map(one => [one.label, one.value]), [['a', 1], ['b', 2]])
})

test('languages', async () => {
    assert.equal((await sandbox.runCode("await Promise.resolve('js')", { language: 'js' })).text, 'js')
    assert.equal((await sandbox.runCode("const m: string = 'ts'; m", { language: 'ts' })).text, 'ts')
    assert.deepEqual((await sandbox.runCode('echo $GIVEN', { language: 'bash' })).logs.stdout, ['at creation\n'])
    await assert.rejects(sandbox.runCode('1', { language: 'r' }), /no kernel for 'r'/)
})

test('environment of one run', async () => {
    assert.equal((await sandbox.runCode("import os; os.environ.get('V')", { envs: { V: 'once' } })).text, 'once')
    assert.equal((await sandbox.runCode("os.environ.get('V', 'gone')")).text, 'gone')
})

test('contexts', async () => {
    const context = await sandbox.createCodeContext({ cwd: '/tmp' })
    assert.equal((await sandbox.runCode('import os; y = 1; os.getcwd()', { context })).text, '/tmp')
    assert.equal((await sandbox.runCode('y')).error.name, 'NameError')
    await sandbox.restartCodeContext(context)
    assert.equal((await sandbox.runCode('y', { context })).error.name, 'NameError')
    await sandbox.removeCodeContext(context)
    assert.ok(!(await sandbox.listCodeContexts()).some(one => one.id === context.id))
    await assert.rejects(sandbox.runCode('1', { context }))
})

test('a client that gives up interrupts the run', async () => {
    await sandbox.runCode('kept = 7')
    await assert.rejects(sandbox.runCode('import time; time.sleep(300)', { timeoutMs: 3_000 }))
    assert.equal((await sandbox.runCode('kept', { timeoutMs: 20_000 })).text, '7')
})
