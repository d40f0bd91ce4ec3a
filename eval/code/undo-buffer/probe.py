def probe(answer, input):
    text, script = input
    buffer = answer.TextBuffer(text)
    seen = []
    for name, *arguments in script:
        returned = getattr(buffer, name)(*arguments)
        seen.append([returned if name in ("undo", "redo") else None, buffer.text, buffer.cursor])
    return seen
