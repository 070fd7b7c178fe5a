wanted => localStorage.setItem('studio-live', wanted ? 'yes' : 'no')
