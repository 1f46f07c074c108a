# The project's verbs on Windows: demo, test, build, native, capi, bench, pack. See README.md; build.sh is the same for Linux and macOS.
param([Parameter(Position = 0)][string]$Verb = 'help', [Parameter(ValueFromRemainingArguments = $true)][string[]]$Rest = @())
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot
$env:DOTNET_NOLOGO = '1'
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'

function Need-Sdk {
    if (-not (Get-Command dotnet -ErrorAction SilentlyContinue) -or -not ((dotnet --list-sdks) -match '^10\.')) {
        [Console]::Error.WriteLine('build.ps1 needs the .NET 10 SDK on PATH: https://dotnet.microsoft.com/download/dotnet/10.0')
        exit 3
    }
}

function Invoke-Checked([scriptblock]$Command) {
    & $Command
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

function Build-Command {
    Invoke-Checked { dotnet build src/Tern.Cli --configuration Release --verbosity quiet --nologo -clp:ErrorsOnly }
    Set-Content -Path artifacts/bin/tern.cmd -Value "@`"%~dp0Tern.Cli\release\Tern.Cli.exe`" %*"
}

switch ($Verb) {
    'demo' { Need-Sdk; Build-Command; & artifacts/bin/tern.cmd demo @Rest; exit $LASTEXITCODE }
    'build' { Need-Sdk; Build-Command; Write-Output 'artifacts/bin/tern.cmd' }
    'test' {
        Need-Sdk
        Invoke-Checked { dotnet build Engine.sln --configuration Release --verbosity quiet --nologo -clp:ErrorsOnly }
        dotnet test Engine.sln --configuration Release --no-build --nologo -m:1 --logger 'console;verbosity=normal' 2>&1 | Tee-Object -Variable lines | Where-Object { "$_" -notmatch '^  Passed ' }
        $status = $LASTEXITCODE
        $passed = 0; $failed = 0; $skipped = 0
        foreach ($line in $lines) {
            if ("$line" -match '^ +Passed: (\d+)') { $passed += [int]$Matches[1] }
            if ("$line" -match '^ +Failed: (\d+)') { $failed += [int]$Matches[1] }
            if ("$line" -match '^ +Skipped: (\d+)') { $skipped += [int]$Matches[1] }
        }
        if ($status -ne 0 -and $failed -eq 0) { $failed = 1 }
        Write-Output "$passed passed, $failed failed, $skipped skipped"
        if ($failed -gt 0 -or $passed -eq 0) { exit 1 }
    }
    'bench' { Need-Sdk; dotnet run --project bench/Tern.Benchmarks --configuration Release -- @Rest; exit $LASTEXITCODE }
    'native' {
        # The optional products in bfloat16 and int8: needs cmake and clang (CMakeLists.txt leaves them out for MSVC).
        Invoke-Checked { cmake -S . -B artifacts/native -DCMAKE_BUILD_TYPE=Release @Rest }
        Invoke-Checked { cmake --build artifacts/native --config Release }
    }
    'capi' {
        # One library for AVX2 and up; build it again with -p:IlcInstructionSet=x86-64-v4 for machines with AVX-512.
        Need-Sdk
        Invoke-Checked { dotnet publish src/Tern.CApi --configuration Release --verbosity quiet --nologo -p:TernNativeLibrary=true -p:IlcInstructionSet=x86-64-v3 @Rest }
        New-Item -ItemType Directory -Force artifacts/capi/include, artifacts/capi/lib | Out-Null
        Copy-Item src/Tern.CApi/include/tern.h artifacts/capi/include/
        Copy-Item artifacts/publish/Tern.CApi/release/tern.dll artifacts/capi/lib/
        Copy-Item artifacts/bin/Tern.CApi/release/native/tern.lib artifacts/capi/lib/
    }
    'pack' {
        Need-Sdk
        if (Test-Path artifacts/packages) { Remove-Item -Recurse -Force artifacts/packages }
        foreach ($project in (Get-ChildItem src/*/*.csproj | Where-Object { Select-String -Quiet -SimpleMatch '<IsPackable>true' $_ })) {
            Invoke-Checked { dotnet pack $project.FullName --configuration Release --nologo --verbosity quiet -p:ContinuousIntegrationBuild=true --output artifacts/packages @Rest }
        }
        Get-ChildItem -Name artifacts/packages
    }
    default {
        Write-Output 'usage: ./build.ps1 demo | test | build | native | capi | bench | pack   (arguments are passed on; see README.md)'
        if ($Verb -ne 'help') { exit 2 }
    }
}
