() => localStorage.getItem('studio-live') !== 'no'
