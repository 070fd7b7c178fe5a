() => {
  const dark = document.body.classList.toggle('dark');
  localStorage.setItem('studio-shade', dark ? 'dark' : 'light');
}
