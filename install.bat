@echo off
rem Installs the studio beside this file, or repairs it. Flags: --cpu --cuda --no-models --dev
setlocal
where py >nul 2>nul
if errorlevel 1 goto plain
py -3 "%~dp0smart_install.py" %*
goto finished
:plain
where python >nul 2>nul
if errorlevel 1 goto missing
python "%~dp0smart_install.py" %*
:finished
exit /b %errorlevel%
:missing
echo Voice Clone Studio needs Python 3.10, 3.11 or 3.12, and no Python was found.
echo Install it with:  winget install --id Python.Python.3.11
exit /b 1
