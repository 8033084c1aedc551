"""Torch without CUDA's libraries: `pip install --no-deps torch`, and `python tools/without_cuda.py` in its environment.

For Linux on x86-64 the registry's torch is linked to 2.2 GB of them, none of which the CPU uses. One library that says
"there is no device" to whatever it is asked takes their places. For tests on machines without such a card.
"""

import re
import subprocess
import sysconfig
from pathlib import Path

NO_DEVICE = 100  # cudaErrorNoDevice, and an error to every other library, too
SYSTEMS = re.compile(r"lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|gomp)\.so|ld-linux")
PREFIXES = "cu[A-Z]|cuda|cupti|cublas|cudnn|cufft|cufile|curand|cusolver|cusparse|nccl|nvrtc|nvshmem"
THEIRS = re.compile(rf"(__)?({PREFIXES})\w*")
WANTED = re.compile("Requires-Dist: (cuda|nvidia|triton)")


def read(*command: object) -> str:
    return subprocess.run([str(each) for each in command], check=True, capture_output=True, text=True).stdout


def main() -> None:
    folder = Path(sysconfig.get_path("purelib"), "torch", "lib")
    libraries = sorted(folder.glob("*.so*"))
    needed = {name for each in libraries for name in re.findall(r"NEEDED.*\[(.+)\]", read("readelf", "-d", each))}
    missing = {name for name in needed if not (folder / name).exists() and not SYSTEMS.match(name)}
    if not missing:
        return
    asked = {line.split()[-1] for each in libraries for line in read("nm", "-D", "-u", each).splitlines()}
    versions: dict[str, list[str]] = {}
    for function in sorted(asked):
        name, _, version = function.partition("@")
        if THEIRS.fullmatch(name):
            versions.setdefault(version or "ANY", []).append(name)
    library, source, script = (folder / f"without_cuda.{suffix}" for suffix in ("so", "c", "map"))
    names = sorted({name for each in versions.values() for name in each})
    source.write_text("".join(f"int {name}() {{ return {NO_DEVICE}; }}\n" for name in names))
    script.write_text("".join(f"{version} {{ {'; '.join(each)}; }};\n" for version, each in versions.items()))
    read("cc", "-w", "-shared", "-fPIC", "-fno-builtin", f"-Wl,--version-script={script}", "-o", library, source)
    for name in missing:
        (folder / name).symlink_to(library.name)
    version = folder.parent / "version.py"  # one for CUDA would miss triton, at each import
    version.write_text(re.sub("(?m)^(cuda: .*) = .*$", r"\1 = None", version.read_text(encoding="utf-8")), "utf-8")
    (about,) = folder.parents[1].glob("torch-*.dist-info/METADATA")
    lines = about.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not WANTED.match(line)]  # else pip brings them later
    about.write_text("".join(kept), encoding="utf-8")
    print(f"{len(missing)} libraries, {len(names)} functions")


if __name__ == "__main__":
    main()
