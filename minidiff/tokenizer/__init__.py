"""Text to token ids and back: CLIP's byte-level byte-pair encoding, and tokens that were added to its vocabulary."""

from .added_tokens import AddedToken
from .merges import learn_merges, merge
from .tokenizer import Tokenizer
from .words import BASE, END, MIN_VOCAB_SIZE, START, SYMBOLS, spell, split_words
