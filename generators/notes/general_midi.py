"""The 128 programs of General MIDI, with the family, source and playing style that NSynth would give them.

Names are those of the standard in lower case with hyphens, so that they can stand in file names such as
`violin_60.wav`. What the standard lists as programs of their own, tremolo strings or slap bass, are styles here.
"""

from dataclasses import dataclass

from generators.errors import ParameterError, unknown
from generators.notes.labels import NORMAL


@dataclass(frozen=True)
class Program:
    """A program of General MIDI: its number, 0..127, and the labels of its notes."""

    number: int
    name: str
    family: str
    source: str
    style: str = NORMAL


_ROWS = """
acoustic-grand-piano keyboard acoustic; bright-acoustic-piano keyboard acoustic;
electric-grand-piano keyboard electronic;
honky-tonk-piano keyboard acoustic; electric-piano-1 keyboard electronic; electric-piano-2 keyboard electronic;
harpsichord keyboard acoustic; clavinet keyboard electronic;
celesta mallet acoustic; glockenspiel mallet acoustic; music-box mallet acoustic; vibraphone mallet acoustic;
marimba mallet acoustic; xylophone mallet acoustic; tubular-bells mallet acoustic; dulcimer mallet acoustic;
drawbar-organ organ electronic; percussive-organ organ electronic percussive; rock-organ organ electronic;
church-organ organ acoustic; reed-organ organ acoustic; accordion organ acoustic; harmonica reed acoustic;
tango-accordion organ acoustic;
nylon-guitar guitar acoustic; steel-guitar guitar acoustic; jazz-guitar guitar electronic;
clean-guitar guitar electronic; muted-guitar guitar electronic muted; overdriven-guitar guitar electronic overdriven;
distortion-guitar guitar electronic distorted; guitar-harmonics guitar electronic harmonics;
acoustic-bass bass acoustic; fingered-bass bass electronic fingered; picked-bass bass electronic picked;
fretless-bass bass electronic fretless; slap-bass-1 bass electronic slap; slap-bass-2 bass electronic slap;
synth-bass-1 bass synthetic; synth-bass-2 bass synthetic;
violin string acoustic; viola string acoustic; cello string acoustic; contrabass string acoustic;
tremolo-strings string acoustic tremolo; pizzicato-strings string acoustic pizzicato;
orchestral-harp string acoustic plucked; timpani mallet acoustic;
strings-1 string acoustic ensemble; strings-2 string acoustic ensemble; synth-strings-1 string synthetic ensemble;
synth-strings-2 string synthetic ensemble; choir-aahs vocal acoustic ensemble; voice-oohs vocal acoustic;
synth-voice vocal synthetic; orchestra-hit string synthetic hit;
trumpet brass acoustic; trombone brass acoustic; tuba brass acoustic; muted-trumpet brass acoustic muted;
french-horn brass acoustic; brass-section brass acoustic ensemble; synth-brass-1 brass synthetic ensemble;
synth-brass-2 brass synthetic ensemble;
soprano-sax reed acoustic; alto-sax reed acoustic; tenor-sax reed acoustic; baritone-sax reed acoustic;
oboe reed acoustic; english-horn reed acoustic; bassoon reed acoustic; clarinet reed acoustic;
piccolo flute acoustic; flute flute acoustic; recorder flute acoustic; pan-flute flute acoustic;
blown-bottle flute acoustic; shakuhachi flute acoustic; whistle flute acoustic; ocarina flute acoustic;
square-lead synth_lead synthetic; saw-lead synth_lead synthetic; calliope-lead synth_lead synthetic;
chiff-lead synth_lead synthetic; charang-lead synth_lead synthetic; voice-lead synth_lead synthetic;
fifths-lead synth_lead synthetic; bass-lead synth_lead synthetic;
new-age-pad synth_lead synthetic pad; warm-pad synth_lead synthetic pad; polysynth-pad synth_lead synthetic pad;
choir-pad synth_lead synthetic pad; bowed-pad synth_lead synthetic pad; metallic-pad synth_lead synthetic pad;
halo-pad synth_lead synthetic pad; sweep-pad synth_lead synthetic pad;
rain-effect synth_lead synthetic effect; soundtrack-effect synth_lead synthetic effect;
crystal-effect synth_lead synthetic effect; atmosphere-effect synth_lead synthetic effect;
brightness-effect synth_lead synthetic effect; goblins-effect synth_lead synthetic effect;
echoes-effect synth_lead synthetic effect; sci-fi-effect synth_lead synthetic effect;
sitar guitar acoustic; banjo guitar acoustic; shamisen guitar acoustic; koto guitar acoustic;
kalimba mallet acoustic; bagpipe reed acoustic; fiddle string acoustic; shanai reed acoustic;
tinkle-bell mallet acoustic; agogo mallet acoustic; steel-drums mallet acoustic; woodblock mallet acoustic;
taiko-drum mallet acoustic; melodic-tom mallet acoustic; synth-drum mallet synthetic; reverse-cymbal mallet synthetic;
guitar-fret-noise guitar acoustic noise; breath-noise flute acoustic noise; seashore synth_lead synthetic noise;
bird-tweet synth_lead synthetic noise; telephone-ring synth_lead synthetic noise;
helicopter synth_lead synthetic noise; applause synth_lead synthetic noise; gunshot synth_lead synthetic noise
"""

PROGRAMS: tuple[Program, ...] = tuple(
    Program(number, *row.split()) for number, row in enumerate(_ROWS.replace("\n", " ").split(";"))
)

PITCHED = tuple(program.number for program in PROGRAMS if program.number < 112)
"""Programs whose keys are pitches: the last two groups of the standard, percussive and sound effects, are not."""

_BY_NAME = {program.name: program.number for program in PROGRAMS}


def program_number(text: str) -> int:
    """Return the number of a program given by name or number, 0..127. Raises ParameterError for another one."""
    word = text.strip().lower().replace(" ", "-").replace("_", "-")
    if word.isdigit():
        if int(word) > 127:
            raise ParameterError(f"programs run from 0 to 127. Received: {word}. Name one, e.g. violin (40)")
        return int(word)
    if word not in _BY_NAME:
        raise ParameterError(unknown("instrument", text, _BY_NAME))
    return _BY_NAME[word]
