"""Plain SVG bars, with a line from the lower to the upper quartile; readable on a light and on a dark page."""

from html import escape

COLOURS = {
    "psql": "#888888", "pgmarch": "#d1495b", "dbmate": "#2e8b8b", "sqlx-cli": "#e0a030",
    "refinery": "#4f7cac", "Alembic": "#7a5195", "node-pg-migrate": "#5b8c5a",
}
LEFT, WIDTH, ROW = 130, 560, 20


def bars(title, unit, groups, path):
    """groups: [(label, [(tool, low, middle, high)])]. The scale is logarithmic: the tools differ a hundredfold."""
    import math

    values = [value for _, tools in groups for tool in tools for value in tool[1:] if value > 0]
    low = 10 ** math.floor(math.log10(min(values)))
    high = max(values) * 1.1

    def x(value):
        return LEFT + WIDTH * math.log(max(value, low) / low) / math.log(high / low)

    lines, y = [], 46
    ticks = [low * 10**power for power in range(12) if low * 10**power <= high]
    for label, tools in groups:
        lines.append(f'<text x="8" y="{y + 4}" class="group">{escape(label)}</text>')
        y += 12
        for tool, quarter, middle, three in tools:
            lines.append(f'<text x="{LEFT - 8}" y="{y + 13}" class="tool">{escape(tool)}</text>')
            lines.append(f'<rect x="{LEFT}" y="{y + 3}" width="{x(middle) - LEFT:.1f}" height="13" fill="{COLOURS[tool]}"/>')
            lines.append(f'<path d="M{x(quarter):.1f} {y + 9.5}H{x(three):.1f}" class="spread"/>')
            lines.append(f'<text x="{max(x(middle), x(three)) + 6:.1f}" y="{y + 13}" class="value">{figure(middle)} {unit}</text>')
            y += ROW
        y += 16
    grid = "".join(
        f'<path d="M{x(tick):.1f} 38V{y - 10}" class="grid"/><text x="{x(tick):.1f}" y="{y + 4}" class="tick">{figure(tick)}</text>'
        for tick in ticks
    )
    style = (
        "text{font:12px system-ui,sans-serif;fill:#777}.title{font-size:15px;font-weight:600}.group{font-weight:600}"
        ".tool{text-anchor:end}.tick{text-anchor:middle;font-size:10px}.grid{stroke:#999;stroke-opacity:.3}"
        ".spread{stroke:#777;stroke-width:2}"
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 110} {y + 14}" role="img">'
        f'<title>{escape(title)}</title><style>{style}</style><text x="8" y="22" class="title">{escape(title)}</text>'
        f'{grid}{"".join(lines)}</svg>\n'
    )
    path.write_text(svg, encoding="utf-8")


def points(title, unit, series, path):
    """series: [(label, colour, values)]: every single value, sorted: a distribution."""
    high = max(value for _, _, values in series for value in values) * 1.05
    height, lines = 220, []
    for place, (label, colour, values) in enumerate(series):
        ordered = sorted(values)
        step = WIDTH / max(len(ordered) - 1, 1)
        lines += [
            f'<circle cx="{LEFT + number * step:.1f}" cy="{40 + height * (1 - value / high):.1f}" r="4" fill="{colour}"/>'
            for number, value in enumerate(ordered)
        ]
        lines.append(f'<text x="{LEFT + WIDTH + 10}" y="{60 + 18 * place}" style="fill:{colour}">{escape(label)}</text>')
    for part in range(5):
        value = high * part / 4
        y = 40 + height * (1 - part / 4)
        lines.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + WIDTH}" stroke="#999" stroke-opacity=".3"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{figure(value)} {unit}</text>')
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 130} {height + 60}" role="img">'
        f"<title>{escape(title)}</title><style>text{{font:12px system-ui,sans-serif;fill:#777}}</style>"
        f'<text x="8" y="22" style="font-size:15px;font-weight:600">{escape(title)}</text>{"".join(lines)}</svg>\n'
    )
    path.write_text(svg, encoding="utf-8")


def figure(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"
