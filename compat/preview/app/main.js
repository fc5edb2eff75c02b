import { text } from './text.js'

const show = text => { document.querySelector('h1').textContent = text }
show(text)
import.meta.hot.accept('./text.js', changed => show(changed.text))
