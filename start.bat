@echo off
rem Opens the studio in the browser, installing it first where needed. With arguments it is the
rem terminal face:  start.bat clone --help
setlocal
set "STUDIO_PYTHON=%~dp0.venv\Scripts\python.exe"
if not exist "%STUDIO_PYTHON%" goto install
"%STUDIO_PYTHON%" "%~dp0smart_install.py" --check
if not errorlevel 1 goto open
:install
call "%~dp0install.bat"
rem 3: only starter models are missing; the studio itself tells more about that.
if errorlevel 4 goto failed
if errorlevel 3 goto open
if errorlevel 1 goto failed
:open
"%STUDIO_PYTHON%" "%~dp0app.py" %*
exit /b %errorlevel%
:failed
rem Keep the window of a double click open long enough to read why.
pause
exit /b 1
