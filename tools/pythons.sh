#!/bin/sh
# The Pythons of this machine that anx runs on: VERSION PATH, a line each, the oldest first.
# `tools/pythons.sh choose [PYTHON]` prints the path of the one to take, and says on standard error which it is and why.
set -eu

SUPPORTED="3.10 3.11 3.12 3.13 3.14"
PREFERRED="3.11 3.13 3.12 3.14 3.10"  # PyBullet's wheels end with 3.11, Box2D's with 3.13, EnvPool's begin with 3.11

ask() {  # VERSION PATH of an interpreter that can make environments; nothing of one that can't
    "$1" -c 'import ensurepip, sys; print("%d.%d" % sys.version_info[:2], sys.executable)' 2>/dev/null || true
}

everywhere() {  # on the PATH, then where version managers keep them
    for name in python3 python; do ask "$name"; done
    for version in $SUPPORTED; do ask "python$version"; done
    for path in "$HOME"/.pyenv/versions/3.*/bin/python3 "$HOME"/.local/share/uv/python/*/bin/python3; do
        [ ! -x "$path" ] || ask "$path"
    done
}

list() {  # the first of each version that is supported
    everywhere | while read -r version path; do
        case " $SUPPORTED " in *" $version "*) echo "$version $path" ;; esac
    done | awk '!seen[$1]++' | sort -V
}

choose() {
    if [ -n "${1:-}" ]; then
        found=$(ask "$1")
        version=${found%% *}
        case " $SUPPORTED " in
            *" ${version:-none} "*) why="as PYTHON says" ;;
            *) echo "error: PYTHON=$1 is ${version:-no Python that makes environments}; allowed: $SUPPORTED" >&2; exit 2 ;;
        esac
    else
        all=$(list)
        for version in $PREFERRED; do
            found=$(echo "$all" | grep "^$version " || true)
            [ -z "$found" ] || break
        done
        [ -n "$found" ] || { echo "error: no Python of $SUPPORTED is on this machine" >&2; exit 2; }
        case $version in
            3.11) why="the newest for which every simulator has a wheel" ;;
            *) why="there is no 3.11 here, the newest for which every simulator has a wheel" ;;
        esac
    fi
    lacks=""
    case $version in 3.12 | 3.13 | 3.14) lacks="; PyBullet's Ant is left out, +experiment=ant_mujoco is there" ;; esac
    echo "Python $version, ${found#* }: $why$lacks" >&2
    echo "${found#* }"
}

if [ "${1:-}" = choose ]; then shift; choose "$@"; else list; fi
