@echo off
rem Builds the library for Windows, as `make lib` does on Unix. The flags mean what they mean
rem to CPython's PCbuild\build.bat. The library is a static one: a DLL could not leave the host's
rem symbols undefined, and the host keeps most of them to itself.
rem build.rs reads the variables that this script sets: REVAL_HOST_* and REVAL_EXPERIMENTAL_JIT.
setlocal

set "configuration=Release"
set "platform=x64"
set "gil_disabled=0"
set "tier2=no"

:flags
if [%1]==[] goto check
if "%~1"=="-h" goto help
if "%~1"=="-c" set "configuration=%~2" & shift & shift & goto flags
if "%~1"=="-d" set "configuration=Debug" & shift & goto flags
if "%~1"=="-p" set "platform=%~2" & shift & shift & goto flags
if "%~1"=="--disable-gil" set "gil_disabled=1" & shift & goto flags
if "%~1"=="--experimental-jit" set "tier2=yes" & goto tier2_flag
if "%~1"=="--experimental-jit-off" set "tier2=yes-off" & goto tier2_flag
if "%~1"=="--experimental-interpreter" set "tier2=interpreter" & goto tier2_flag
if "%~1"=="--experimental-jit-interpreter" set "tier2=interpreter" & goto tier2_flag
if "%~1"=="--experimental-jit-interpreter-off" set "tier2=interpreter-off" & goto tier2_flag
goto bad_flag

:tier2_flag
set "tier2_flag=%~1"
shift
goto flags

:check
set "profile="
rem The library is one object, so that a linker which takes anything of it takes the check of the host. In a release, it
rem is one already.
set "units="
if /i "%configuration%"=="Release" set "profile=--release" & set "REVAL_HOST_DEBUG=0"
if /i "%configuration%"=="Debug" set "profile=--profile dev" & set "units=-Ccodegen-units=1" & set "REVAL_HOST_DEBUG=1"
if not defined profile goto bad_configuration
set "target="
if /i "%platform%"=="x64" set "target=x86_64-pc-windows-msvc"
if /i "%platform%"=="ARM64" set "target=aarch64-pc-windows-msvc"
if not defined target goto bad_platform
if "%gil_disabled%"=="1" if not "%tier2%"=="no" goto conflict

if not defined HOST_PYTHON goto no_host
set "HOST_PYTHON=%HOST_PYTHON:"=%"
rem An installed host has all headers beside its python.exe. One in PCbuild has its pyconfig.h there, and the others in
rem the sources.
for %%I in ("%HOST_PYTHON%") do set "host_folder=%%~dpI"
for %%I in ("%host_folder%..\..\Include") do set "sources=%%~fI"
set "REVAL_HOST_INCLUDE=%host_folder%include"
set "REVAL_HOST_PLATINCLUDE="
if exist "%REVAL_HOST_INCLUDE%\internal\pycore_ceval.h" goto build
if not exist "%host_folder%pyconfig.h" goto no_headers
if not exist "%sources%\internal\pycore_ceval.h" goto no_headers
set "REVAL_HOST_INCLUDE=%sources%"
set "REVAL_HOST_PLATINCLUDE=%host_folder%"

:build
rem Everything that build.rs reads is set or deleted in this script, so that nothing is inherited.
set "REVAL_HOST_TIER2="
set "REVAL_HOST_GIL_DISABLED=%gil_disabled%"
set "REVAL_EXPERIMENTAL_JIT=%tier2%"

rem cargo looks for .cargo\config.toml in the current folder.
pushd "%~dp0"
if defined units set "units=-- %units%"
cargo rustc --lib --crate-type staticlib %profile% --target %target% %units%
set "status=%ERRORLEVEL%"
popd
exit /b %status%

:bad_flag
>&2 echo ERROR: unknown flag "%~1"
goto usage_error

:bad_configuration
>&2 echo ERROR: -c takes Release or Debug, not "%configuration%"
goto usage_error

:bad_platform
>&2 echo ERROR: -p takes x64 or ARM64, not "%platform%"

:usage_error
call :usage >&2
exit /b 2

:conflict
>&2 echo ERROR: %tier2_flag% cannot be used with --disable-gil.
exit /b 1

:no_host
>&2 echo ERROR: HOST_PYTHON must name the python.exe of a CPython 3.14
exit /b 1

:no_headers
>&2 echo ERROR: the host has no internal headers in "%REVAL_HOST_INCLUDE%"
exit /b 1

:help
call :usage
exit /b 0

:usage
echo Usage: build.bat [flags]
echo.
echo Builds reval.lib and reval.h in target\PLATFORM\CONFIGURATION, for the CPython 3.14 whose python.exe the variable
echo HOST_PYTHON names: an installed one, or the one in PCbuild of CPython's sources. README says how CPython is then
echo linked with it, and what this script needs. Where cargo puts files, CARGO_TARGET_DIR changes as usual.
echo If flags contradict each other, the last one counts.
echo.
echo   -h                                   print this text
echo   -c Release, -c Debug                 the configuration of the host and of the library (default: Release)
echo   -d                                   the same as -c Debug
echo   -p x64, -p ARM64                     the platform (default: x64)
echo   --disable-gil                        for a free-threaded host, which has no tier 2
echo   --experimental-jit                   tier 2 with the JIT, on by default
echo   --experimental-jit-off               the same, off unless PYTHON_JIT=1
echo   --experimental-jit-interpreter       tier 2 with the micro-op interpreter, on by default
echo   --experimental-interpreter           the same: its earlier name
echo   --experimental-jit-interpreter-off   the same, off unless PYTHON_JIT=1
goto :eof
