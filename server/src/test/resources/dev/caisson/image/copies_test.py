"""Warmed interpreters and their copies: copies_test.py DIRECTORY, where the interpreter's files are. One line of outcome each; `without WHAT` where this machine lacks something."""
import asyncio
import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile

home = tempfile.mkdtemp()
os.symlink(os.path.abspath(sys.argv[1]), f'{home}/caisson_interpreter')
sys.path.insert(0, home)

from caisson_interpreter import copies, variables  # noqa: E402
from caisson_interpreter.process_kernel import BashKernel, JavaScriptKernel  # noqa: E402

copies.BOOT_ID = f'{home}/boot_id'
variables.FILE = f'{home}/environment'


def boot(text):
    with open(copies.BOOT_ID, 'w') as file:
        file.write(text)


def give(**given):
    with open(variables.FILE + '.new', 'w') as file:
        file.write(''.join(f'{name}={value}\0' for name, value in given.items()))
    os.rename(variables.FILE + '.new', variables.FILE)


def outcome(name, holds):
    print(name + ':', 'yes' if holds else 'NO')


def watches():
    boot('one')
    watch = copies.Watch()
    seen = [watch.copied(), watch.copied()]
    boot('two')
    seen += [watch.copied(), watch.copied()]
    os.remove(copies.BOOT_ID)
    seen += [watch.copied()]
    boot('two')
    seen += [watch.copied()]
    outcome('a copy is noticed once', seen == [False, False, True, False, False, False])


def copy_of_this_process(reseeds):
    """What a copy says that its generators give; one that Python does not notice, as it would not notice that of a machine."""
    read, write = os.pipe()
    pid = ctypes.CDLL(None).fork()
    if pid == 0:
        if reseeds:
            copies.reseed()
        import random
        said = [random.random(), next(tempfile._get_candidate_names()) if reseeds else 'name']
        if 'numpy' in sys.modules:
            said.append(sys.modules['numpy'].random.random())
        os.write(write, repr(said).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    said = eval(os.read(read, 1000))
    os.close(read)
    os.close(write)
    return said


def python():
    import random
    import ssl
    random.random()
    ssl.RAND_bytes(1)
    if importlib.util.find_spec('numpy'):
        import numpy
        numpy.random.random()
    else:
        print('without numpy')
    tempfile.mktemp()
    # Its at-fork hooks are for forks that Python sees; we make one that it does not.
    outcome('copies are alike', copy_of_this_process(False) == copy_of_this_process(False))
    one, other = copy_of_this_process(True), copy_of_this_process(True)
    outcome('copies with seeds of their own differ in all', all(a != b for a, b in zip(one, other)))
    before = set(sys.modules)
    copies.reseed()
    outcome('nothing is loaded for it', set(sys.modules) == before)
    sys.modules['numpy.random'] = object()
    copies.reseed()
    outcome('what is not what it was does no harm', True)
    del sys.modules['numpy.random']


async def said(kernel, code, count):
    text = []
    await kernel.run(code, {}, lambda event: text.append(event.get('text') or event.get('data', {}).get('text/plain') or ''), count)
    return ''.join(text)


async def twice(made, warm, ask, count):
    """What two kernels that are alike say when both are told that they are copies, and what they would have said."""
    answers = []
    for reseeds in (False, False, True, True):
        boot('one')
        kernel = made('/tmp')
        kernel.start()
        await said(kernel, warm, 1)
        if reseeds:
            boot('two')
        answers.append(await said(kernel, ask, count))
        kernel.stop()
    return answers


async def has_variables(kernel, warm, ask):
    """Whether a warm kernel has the variables that it is given later, and what its code made of them where they have not changed."""
    kernel.start()
    await said(kernel, warm('OWN', 'kept'), 1)
    give(FIRST="it's\n$one", SECOND='two', OWN='given')
    seen = [await said(kernel, ask, 2)]
    await said(kernel, warm('SECOND', 'mine'), 3)
    seen += [await said(kernel, ask, 4)]
    give(FIRST='other', SECOND='two', PATH='/usr/bin:/bin:/nowhere')
    seen += [await said(kernel, ask, 5)]
    os.remove(variables.FILE)
    seen += [await said(kernel, ask, 6)]
    kernel.stop()
    path = os.environ['PATH']
    expected = [f"it's\n$one|two|given|{path}", f"it's\n$one|mine|given|{path}", 'other|mine||/usr/bin:/bin:/nowhere', f'|||{path}']
    outcome(f'{kernel.language} has the variables of now', [text.rstrip('\n') for text in seen] == expected)
    give(FIRST='there')
    kernel.start()
    outcome(f'{kernel.language} starts with them', (await said(kernel, ask, 1)).startswith('there|'))
    kernel.stop()
    os.remove(variables.FILE)


async def bash():
    a, b, c, d = await twice(lambda cwd: BashKernel(cwd, 'bash'), 'RANDOM=5; X=kept', 'echo $RANDOM $RANDOM $RANDOM', 2)
    outcome('bash differs', a == b and len({a, c, d}) == 3)
    await has_variables(BashKernel('/tmp', 'bash'), lambda name, value: f'export {name}={value}', 'echo "$FIRST|$SECOND|$OWN|$PATH"')


class Alike(JavaScriptKernel):
    def argv(self, requests, events):
        return ['node', '--random-seed=42', *super().argv(requests, events)[1:]]


async def javascript():
    if not shutil.which('node') or subprocess.run(['node', '-e', "require('acorn')"], capture_output=True).returncode:
        print('without node and acorn')
        return
    a, b, c, d = await twice(lambda cwd: Alike(cwd, 'javascript'), 'kept = 7; Math.random()', '[Math.random(), Math.random(), kept].join()', 2)
    outcome('javascript differs and keeps what it knew', a == b and len({a, c, d}) == 3 and c.endswith(',7'))
    boot('one')
    kernel = Alike('/tmp', 'javascript')
    kernel.start()
    before = kernel._process.pid
    boot('two')
    await said(kernel, '1', 1)
    outcome('one that has run nothing begins anew', kernel._process.pid != before)
    kernel.stop()
    await has_variables(
        Alike('/tmp', 'javascript'), lambda name, value: f"process.env.{name} = '{value}'",
        "console.log(['FIRST', 'SECOND', 'OWN', 'PATH'].map(name => process.env[name] ?? '').join('|'))")


async def ipython():
    if not (importlib.util.find_spec('ipykernel') and importlib.util.find_spec('jupyter_client')):
        print('without ipykernel')
        return
    from caisson_interpreter.python_kernel import PythonKernel
    os.environ['PYTHONPATH'] = home

    def made(cwd):
        return PythonKernel(cwd)

    a, b, c, d = await twice(made, 'import random, numpy; random.seed(1); numpy.random.seed(1); kept = 7', '(random.random(), numpy.random.random(), kept)', 2)
    alike = a == b and len({a, c, d}) == 3
    outcome('python differs and keeps what it knew', alike and all(x != y for x, y in zip(eval(c)[:2], eval(d)[:2])) and eval(c)[2] == 7)
    await has_variables(
        made('/tmp'), lambda name, value: f"import os; os.environ['{name}'] = '{value}'",
        "import os; print('|'.join(os.environ.get(name, '') for name in ('FIRST', 'SECOND', 'OWN', 'PATH')))")


signal.alarm(60)
watches()
python()
for one in (bash, javascript, ipython):
    asyncio.run(one())
shutil.rmtree(home)
