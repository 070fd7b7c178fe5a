@echo off
rem Installs the studio beside this file, or repairs it. Flags: --cpu --cuda --no-models --dev --cluster
setlocal
rem Each Python is asked to run, not only looked up: the one that Windows names before any is
rem installed only opens its store.
py -3 -c "" >nul 2>nul
if not errorlevel 1 if errorlevel 0 goto launcher
python -c "" >nul 2>nul
if not errorlevel 1 if errorlevel 0 goto plain
echo Voice Clone Studio needs Python 3.10, 3.11 or 3.12, and no Python was found.
echo Install it with:  winget install --id Python.Python.3.11
exit /b 1
:launcher
py -3 "%~dp0smart_install.py" %*
exit /b %errorlevel%
:plain
python "%~dp0smart_install.py" %*
exit /b %errorlevel%
