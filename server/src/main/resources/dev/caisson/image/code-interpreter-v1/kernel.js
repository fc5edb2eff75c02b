'use strict'
// One JavaScript context. Requests come as lines of JSON on the descriptor in argv[2], events go as lines of JSON to the one in argv[3].
//
// Code runs as scripts of this very realm, so what one declares the next one sees. Before, declarations at its top are turned into ones that can be
// made again, imports into awaited ones, and code that awaits into the body of an async function.
const { execFileSync } = require('child_process')
const fs = require('fs')
const { createRequire } = require('module')
const net = require('net')
const path = require('path')
const readline = require('readline')
const { pathToFileURL } = require('url')
const util = require('util')
const v8 = require('v8')
const vm = require('vm')
const acorn = require('acorn')

const input = Number(process.argv[2])
const output = Number(process.argv[3])
let running = null

function tell(event) {
    fs.writeSync(output, JSON.stringify(event) + '\n')
}

// What the code prints goes the same way as its results, so that all of it keeps its order.
for (const name of ['stdout', 'stderr']) {
    process[name].write = (chunk, encoding, done) => {
        const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
        if (running) tell({ type: name, text })
        const last = typeof encoding === 'function' ? encoding : done
        if (last) process.nextTick(last)
        return true
    }
}

// Names that a pattern binds.
function bound(pattern, names = []) {
    switch (pattern.type) {
        case 'Identifier': names.push(pattern.name); break
        case 'ObjectPattern': pattern.properties.forEach(one => bound(one.value || one.argument, names)); break
        case 'ArrayPattern': pattern.elements.forEach(one => one && bound(one, names)); break
        case 'AssignmentPattern': bound(pattern.left, names); break
        case 'RestElement': bound(pattern.argument, names); break
    }
    return names
}

// True when something below the node awaits outside of every function; `var`s found on the way are added to names.
function awaits(node, names) {
    if (!node || typeof node.type !== 'string') return false
    if (/Function/.test(node.type) || node.type === 'PropertyDefinition') return false
    let found = node.type === 'AwaitExpression' || (node.type === 'ForOfStatement' && node.await)
    for (const value of Object.values(node)) {
        for (const child of Array.isArray(value) ? value : [value]) {
            if (child && typeof child === 'object' && awaits(child, names)) found = true
        }
    }
    if (node.type === 'VariableDeclaration' && node.kind === 'var') node.declarations.forEach(one => bound(one.id, names))
    return found
}

function imported(node) {
    const from = `await __import(${JSON.stringify(node.source.value)})`
    const whole = node.specifiers.find(one => one.type === 'ImportNamespaceSpecifier')
    const parts = node.specifiers.filter(one => one !== whole).map(one =>
        `${one.type === 'ImportDefaultSpecifier' ? 'default' : JSON.stringify(one.imported.name ?? one.imported.value)}: ${one.local.name}`)
    const assigned = []
    if (whole) assigned.push(`${whole.local.name} = ${from}`)
    if (parts.length) assigned.push(`({ ${parts.join(', ')} } = ${from})`)
    return { names: node.specifiers.map(one => one.local.name), text: `${assigned.join('; ') || from};` }
}

// One top statement with its declarations as assignments, their names added to `names`.
function assigned(node, code, names, last) {
    const text = code.slice(node.start, node.end)
    switch (node.type) {
        case 'ImportDeclaration': {
            const made = imported(node)
            names.push(...made.names)
            return made.text
        }
        case 'VariableDeclaration':
            node.declarations.forEach(one => bound(one.id, names))
            return node.declarations.filter(one => one.init || node.kind !== 'var')
                .map(one => `(${code.slice(one.id.start, one.id.end)} = ${one.init ? code.slice(one.init.start, one.init.end) : 'undefined'});`).join(' ')
        case 'ClassDeclaration':
            names.push(node.id.name)
            return `${node.id.name} = ${text};`
        case 'FunctionDeclaration':
            names.push(node.id.name)
            return ''
        case 'ExpressionStatement':
            return last ? `return { value: (${code.slice(node.expression.start, node.expression.end)}) };` : text
        default:
            return text
    }
}

function parsed(code) {
    return acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowAwaitOutsideFunction: true, allowHashBang: true })
}

// Where `import(…)` stands; a script cannot do that itself, so ours is called.
function importing(node, found = []) {
    if (!node || typeof node !== 'object') return found
    if (node.type === 'ImportExpression') found.push(node.start)
    Object.values(node).forEach(value => importing(value, found))
    return found
}

// Code as a script; `async` when it answers with a promise of `{ value }`.
function prepared(code) {
    let tree
    try {
        tree = parsed(code)
        const places = importing(tree).sort((a, b) => b - a)
        if (places.length) {
            for (const place of places) code = code.slice(0, place) + '__' + code.slice(place)
            tree = parsed(code)
        }
    } catch {
        // Either it is wrong, and the engine says so better, or it is only valid as a plain script.
        return { async: false, text: code }
    }
    const names = []
    const waits = tree.body.map(node => awaits(node, names)).includes(true) || tree.body.some(node => node.type === 'ImportDeclaration')
    if (waits) {
        const functions = tree.body.filter(node => node.type === 'FunctionDeclaration').map(node => `${node.id.name} = ${code.slice(node.start, node.end)};`)
        const body = tree.body.map((node, i) => assigned(node, code, names, i === tree.body.length - 1))
        const declared = names.length ? `var ${[...new Set(names)].join(', ')};` : ''
        return { async: true, text: `${declared} (async () => { ${functions.join(' ')}\n${body.join('\n')}\n})()` }
    }
    let text = ''
    let at = 0
    for (const node of tree.body) {
        text += code.slice(at, node.start)
        at = node.start
        if (node.type === 'VariableDeclaration' && node.kind !== 'var') {
            text += 'var'
            at += node.kind.length
        } else if (node.type === 'ClassDeclaration') {
            text += `var ${node.id.name} = `
        }
    }
    return { async: false, text: text + code.slice(at) }
}

function javascript(code, language) {
    if (language !== 'typescript') return code
    const config = '{"compilerOptions":{"preserveValueImports":true,"isolatedModules":true,"target":"esnext"}}'
    try {
        return execFileSync('esbuild', ['--loader=ts', '--target=esnext', '--log-level=error', `--tsconfig-raw=${config}`], { input: code, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
    } catch (failed) {
        throw new SyntaxError(String(failed.stderr || failed.message).trim())
    }
}

function resolved(specifier) {
    if (/^\.{0,2}\//.test(specifier)) return pathToFileURL(path.resolve(specifier)).href
    try {
        const found = globalThis.require.resolve(specifier)
        return path.isAbsolute(found) ? pathToFileURL(found).href : found
    } catch {
        return specifier
    }
}

async function evaluate(code) {
    const { async, text } = prepared(code)
    const script = new vm.Script(text, { filename: 'code' })
    const made = script.runInThisContext({ breakOnSigint: true })
    return async ? (await made)?.value : made
}

// A value in every form it has: those that its own methods _toHtml, _toPng, … or _toMime give, and text.
function forms(value) {
    const data = { 'text/plain': typeof value === 'string' ? value : util.inspect(value) }
    const methods = { _toHtml: 'text/html', _toMarkdown: 'text/markdown', _toSvg: 'image/svg+xml', _toPng: 'image/png', _toJpeg: 'image/jpeg', _toLatex: 'text/latex' }
    if (value !== null && typeof value === 'object') {
        for (const [method, type] of Object.entries(methods)) {
            if (typeof value[method] === 'function') data[type] = String(value[method]())
        }
        if (typeof value._toMime === 'function') Object.assign(data, value._toMime())
    }
    return data
}

globalThis.display = value => tell({ type: 'result', main: false, data: forms(value) })
Object.defineProperty(globalThis, '__import', { value: specifier => import(resolved(String(specifier))) })
globalThis.require = createRequire(process.cwd() + '/')

function failure(thrown) {
    const isError = util.types.isNativeError(thrown) || thrown instanceof Error
    return {
        type: 'error',
        name: isError ? String(thrown.name) : 'Error',
        value: isError ? String(thrown.message) : util.inspect(thrown),
        traceback: isError ? String(thrown.stack || thrown) : util.inspect(thrown),
    }
}

// Sets variables; what has no value is taken away.
function put(variables) {
    for (const [name, value] of Object.entries(variables)) {
        if (value === null) delete process.env[name]
        else process.env[name] = value
    }
}

// Sets variables for one run; the answer puts back what was there.
function environment(variables) {
    const before = Object.fromEntries(Object.keys(variables).map(name => [name, process.env[name] ?? null]))
    put(variables)
    return () => put(before)
}

// The engine gives Math.random a seed once in each realm, from a generator that copies of this process share unless it is told which seed to give.
function seed(number) {
    v8.setFlagsFromString(`--random-seed=${number}`)
    // It is given at the first call.
    Math.random = vm.runInNewContext('Math.random(); Math.random')
    v8.setFlagsFromString('--random-seed=0')
}

async function run(request) {
    if (request.seed) {
        seed(request.seed)
        tell({ type: 'done', status: 0 })
        return
    }
    if (request.variables) {
        put(request.variables)
        tell({ type: 'done', status: 0 })
        return
    }
    const restore = environment(request.env)
    try {
        const interrupted = new Promise((_, reject) => { running = { interrupt: reject } })
        const value = await Promise.race([evaluate(javascript(request.code, request.language)), interrupted])
        if (value !== undefined) tell({ type: 'result', main: true, data: forms(value) })
    } catch (thrown) {
        tell(failure(thrown))
    }
    restore()
    running = null
    tell({ type: 'done', status: 0 })
}

process.on('SIGINT', () => {
    const interruption = new Error('interrupted')
    interruption.name = 'Interrupted'
    if (running) running.interrupt(interruption)
})
// What fails later, in a timer or a promise nobody waits for, must not end the context.
for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, thrown => process.stderr.write(util.inspect(thrown) + '\n'))
}

let queue = Promise.resolve()
readline.createInterface({ input: new net.Socket({ fd: input, readable: true, writable: false }) })
    .on('line', line => { queue = queue.then(() => run(JSON.parse(line))) })
    .on('close', () => process.exit(0))
process.argv.length = 2
