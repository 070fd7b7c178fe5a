// Of a text to speak: whether an example is offered, its length, and about how long it takes to say.
text => {
  const letters = [...text.trim()];
  const syllables = letters.filter(one => /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(one));
  // As speech.py estimates; a character that is a syllable takes longer than a letter.
  const seconds = Math.ceil((letters.length - syllables.length) / PER_SECOND + syllables.length / 4.5);
  const minutes = Math.floor(seconds / 60);
  const time = minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
  const length = `${letters.length.toLocaleString('en')} character${letters.length === 1 ? '' : 's'}`;
  const note = letters.length ? `<div class="studio-note">${length}, about ${time} of speech</div>` : '';
  return [{ __type__: 'update', visible: !letters.length }, note];
}
