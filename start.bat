@echo off
rem Opens the studio in the browser, installing it first where needed. With arguments it is the
rem terminal face:  start.bat clone --help
rem "if errorlevel 1" does not see the negative codes of a program that crashed: codes are compared.
setlocal
set "STUDIO_PYTHON=%~dp0.venv\Scripts\python.exe"
if not exist "%STUDIO_PYTHON%" goto install
"%STUDIO_PYTHON%" "%~dp0smart_install.py" --check
if %errorlevel% equ 0 goto open
:install
call "%~dp0install.bat"
rem 3: only starter models are missing; the studio itself tells more about that.
if %errorlevel% equ 0 goto open
if %errorlevel% equ 3 goto open
goto failed
:open
"%STUDIO_PYTHON%" "%~dp0app.py" %*
set "STUDIO_RESULT=%errorlevel%"
rem With arguments somebody types in a terminal, which stays open by itself.
if %STUDIO_RESULT% neq 0 if "%~1"=="" pause
exit /b %STUDIO_RESULT%
:failed
rem Keep the window of a double click open long enough to read why.
pause
exit /b 1
