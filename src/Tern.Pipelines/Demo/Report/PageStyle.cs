namespace Tern.Pipelines.Demo.Report;

/// <summary>The page's style sheet: system fonts, one column, light and dark, tables that scroll sideways on a phone.</summary>
internal static class PageStyle
{
    public const string Css = """
        :root { color-scheme: light dark; --ink: #1b1f24; --soft: #5c6670; --paper: #ffffff; --card: #f5f7f9; --rule: #d9dfe5;
          --s0: #1769c0; --s1: #c2570c; --s2: #15803d; --won: #15803d; --lost: #b91c1c; --mark: 255, 190, 60; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e4e8ec; --soft: #98a3ad; --paper: #14181c; --card: #1d2328; --rule: #343c44;
            --s0: #6cb0ff; --s1: #ffa260; --s2: #63d08b; --won: #63d08b; --lost: #ff8080; --mark: 200, 130, 0; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 56rem; padding: 1rem; background: var(--paper); color: var(--ink);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
        h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; overflow-wrap: anywhere; } .card h3:first-child { margin-top: .2rem; }
        p { margin: .5rem 0; } .note, figcaption, small { color: var(--soft); font-size: .9rem; }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
        th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
        th { color: var(--soft); font-weight: 600; font-size: .85rem; } .scroll td:first-child, .scroll th:first-child { text-align: left; }
        td.best { font-weight: 700; } td.text { white-space: normal; text-align: left; min-width: 10rem; overflow-wrap: anywhere; } th.text { text-align: left; }
        figure { margin: 1rem 0; } svg { width: 100%; height: auto; display: block; }
        .grid { stroke: var(--rule); stroke-width: 1; } .tick { fill: var(--soft); font-size: 13px; }
        @media (max-width: 32rem) { .tick { font-size: 19px; } th, td { padding: .3rem .4rem; font-size: .85rem; } }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .line.s0 { stroke: var(--s0); } .line.s1 { stroke: var(--s1); } .line.s2 { stroke: var(--s2); }
        .legend span { white-space: nowrap; } .key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .8em; }
        .key.s0 { background: var(--s0); } .key.s1 { background: var(--s1); } .key.s2 { background: var(--s2); }
        path.won { fill: var(--won); } path.lost { fill: var(--lost); } .gain { color: var(--won); } .loss { color: var(--lost); }
        .card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .8rem 1rem; margin: 1rem 0; }
        .bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .15rem .6rem; align-items: center; font-size: .9rem; }
        .bar { height: .7em; border-radius: 2px; background: var(--s0); } .bar.expanded { background: var(--s1); }
        .term { font-family: ui-monospace, Consolas, monospace; } .expanded-term { font-style: italic; }
        .hit { overflow-wrap: anywhere; } mark { color: inherit; border-radius: 3px; padding: 0 1px; }
        pre, code { font-family: ui-monospace, Consolas, monospace; font-size: .85rem; } pre { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: .7rem; overflow-x: auto; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
        """;
}
