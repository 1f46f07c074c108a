#!/usr/bin/env bash
# The project's verbs: demo, test, build, native, capi, bench, pack. See README.md.
set -euo pipefail
cd "$(dirname "$0")"

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

need_sdk() {
    if ! command -v dotnet >/dev/null 2>&1 || ! dotnet --list-sdks 2>/dev/null | grep -q '^10\.'; then
        echo "build.sh needs the .NET 10 SDK on PATH: https://dotnet.microsoft.com/download/dotnet/10.0" >&2
        exit 3
    fi
}

# Restores with one retry: a package source may fail once.
restore() {
    dotnet restore "$1" --verbosity quiet || { sleep 5; dotnet restore "$1" --verbosity quiet; }
}

# The optional native parts: products for the CPU (bfloat16, int8), CUDA kernels, and the same kernels for the CPU. Without
# cmake and a C compiler everything else still works, and --quiet says nothing.
build_native() {
    if [ "$(uname -m)" != x86_64 ] || ! command -v cmake >/dev/null 2>&1 || ! command -v cc >/dev/null 2>&1; then
        [ "${1:-}" = --quiet ] || { echo "build.sh native needs cmake and gcc or clang on x86-64 (Debian: apt-get install cmake gcc); without them products stay Float32" >&2; exit 3; }
        return 0
    fi
    local log=artifacts/native/build.log
    mkdir -p artifacts/native
    if ! { cmake -S . -B artifacts/native -DCMAKE_BUILD_TYPE=Release && cmake --build artifacts/native --parallel; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        [ "${1:-}" = --quiet ] || exit 3
        echo "build.sh: the native parts did not build ($log); going on without them" >&2
    fi
    [ "${1:-}" = --quiet ] || grep -oE 'tern: .*' "$log" >&2 || true
}

# The command is artifacts/bin/tern, a link to the program that the build leaves in its own folder.
build_command() {
    build_native --quiet
    restore src/Tern.Cli
    dotnet build src/Tern.Cli --configuration Release --no-restore --verbosity quiet --nologo -p:WarningLevel=0 -clp:ErrorsOnly
    ln -sfn Tern.Cli/release/Tern.Cli artifacts/bin/tern
}

# The C library, compiled to native code. That compiler decides once for a whole library which vector instructions it may
# use, so there is one library per level; ld.so itself picks the better one under glibc-hwcaps where the machine has it.
publish_c_library() {
    local system level published target=artifacts/capi
    system=$(uname -s)/$(uname -m)
    if [ $# -eq 0 ]; then
        if [ "$system" = Linux/x86_64 ]; then set -- x86-64-v3 x86-64-v4; else set -- ''; fi
    fi
    build_native --quiet
    dotnet restore src/Tern.CApi -p:TernNativeLibrary=true --verbosity quiet
    mkdir -p $target/include $target/lib
    cp src/Tern.CApi/include/tern.h $target/include/
    for level in "$@"; do
        rm -rf artifacts/obj/Tern.CApi/release/native artifacts/publish/Tern.CApi
        dotnet publish src/Tern.CApi --configuration Release --no-restore --verbosity quiet --nologo -p:TernNativeLibrary=true "-p:IlcInstructionSet=$level"
        case $level in
            '' | x86-64-v3) published=$target/lib ;;
            *) published=$target/lib/glibc-hwcaps/$level; mkdir -p "$published" ;;
        esac
        if [ "${system%%/*}" = Darwin ]; then
            cp artifacts/publish/Tern.CApi/release/libtern.dylib "$published/"
        else
            cp artifacts/publish/Tern.CApi/release/libtern.so "$published/"
        fi
        # The optional products lie beside the library that loads them.
        [ ! -d artifacts/native/runtimes ] || find artifacts/native/runtimes -name 'libtern_cpu.*' -exec cp {} "$published/" \;
    done
}

run_tests() {
    build_native --quiet
    restore Engine.sln
    dotnet build Engine.sln --configuration Release --no-restore --verbosity quiet --nologo -clp:ErrorsOnly
    ln -sfn Tern.Cli/release/Tern.Cli artifacts/bin/tern
    local log=artifacts/test.log status=0
    # One project at a time: the tests of the compute backends use every core themselves. The log has every test; the
    # screen has failures and, with their reasons, the skipped.
    set +e
    dotnet test Engine.sln --configuration Release --no-build --nologo -m:1 --logger "console;verbosity=normal" 2>&1 \
        | tee "$log" \
        | grep --line-buffered -vE '^  Passed |^\[xUnit.net [0-9:.]+\]   (Discover|Start|Finish)|xUnit.net VSTest Adapter|A total of|^Starting test|^ +Passed: |^Total tests|Total time'
    status=${PIPESTATUS[0]}
    set -e
    # Each project ends in its own counts; the last line adds them up.
    awk -v status="$status" '
        /^Total tests: / { total += $3 }
        /^ +Passed: / { passed += $2 }
        /^ +Failed: / { failed += $2 }
        /^ +Skipped: / { skipped += $2 }
        END {
            if (failed == 0 && (status != 0 || passed + skipped != total)) { print "the test run itself failed (exit " status ")"; failed = 1 }
            printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
            exit (failed > 0 || passed == 0) ? 1 : 0
        }' "$log"
}

# A package with its symbols for each project that says IsPackable; paths of this machine are mapped away.
pack_libraries() {
    rm -rf artifacts/packages
    local project
    for project in $(grep -l '<IsPackable>true' src/*/*.csproj); do
        restore "$project"
        dotnet pack "$project" --configuration Release --no-restore --nologo --verbosity quiet \
            -p:ContinuousIntegrationBuild=true --output artifacts/packages "$@"
    done
    ls artifacts/packages
}

verb=${1:-help}
shift || true
case "$verb" in
demo)
    need_sdk
    build_command
    exec artifacts/bin/tern demo "$@"
    ;;
test)
    need_sdk
    run_tests "$@"
    ;;
native)
    build_native
    find artifacts/native/runtimes artifacts/native/kernels artifacts/native/emulator -type f \( -name '*.so' -o -name '*.ptx' -o -name '*.cubin' \) 2>/dev/null || true
    ;;
bench)
    need_sdk
    build_native --quiet
    restore bench/Tern.Benchmarks
    exec dotnet run --project bench/Tern.Benchmarks --configuration Release --no-restore -- "$@"
    ;;
capi)
    need_sdk
    publish_c_library "$@"
    find artifacts/capi -type f
    ;;
pack)
    need_sdk
    build_native --quiet
    pack_libraries "$@"
    ;;
build)
    need_sdk
    build_command
    echo "artifacts/bin/tern"
    ;;
*)
    cat <<'TEXT'
usage: ./build.sh VERB [arguments]
  demo    build, then run the demo: collection, training, index, search, report (passes arguments on: --minutes 30)
  test    build everything and run all tests; the last line is "N passed, N failed, N skipped"
  build   build the command line program artifacts/bin/tern
  native  build the optional native parts with cmake: products for the CPU (bfloat16, int8), CUDA kernels (needs clang 19 or
          later), the same kernels for the CPU (for tests); the other verbs do so where they can
  capi    compile the C library to native code and put it with its header under artifacts/capi (needs cc or clang)
  bench   run the benchmarks: products, operations, dense, bisection (each with --help), or BenchmarkDotNet's arguments
  pack    make the NuGet packages under artifacts/packages
TEXT
    [ "$verb" = help ] || exit 2
    ;;
esac
