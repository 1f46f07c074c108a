#!/usr/bin/env bash
# What verify.sh needs on a GPU machine, as one archive: the program with its runtime and kernels in one file, and the scripts.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=artifacts/gpu-payload
./build.sh native >/dev/null
rm -rf $target
mkdir -p $target
dotnet publish src/Tern.Cli --configuration Release --runtime linux-x64 --self-contained --verbosity quiet --nologo \
    -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true -p:DebugType=none --output $target/publish
mv $target/publish/Tern.Cli $target/tern
rm -rf $target/publish
cp bench/gpu/verify.sh bench/gpu/profile.sh bench/gpu/*.py $target/
tar -C artifacts -czf artifacts/gpu-payload.tar.gz gpu-payload
du -m artifacts/gpu-payload.tar.gz
