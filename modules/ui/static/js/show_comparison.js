() => setTimeout(() => document.getElementById('history-comparison').scrollIntoView({ block: 'nearest' }), 150)
