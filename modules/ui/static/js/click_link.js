() => setTimeout(() => document.getElementById('LINK').click(), 150)
