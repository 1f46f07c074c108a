using System.Text.RegularExpressions;

namespace Tern.Text;

/// <summary>
/// One pattern for any number of threads. A <see cref="Regex"/> keeps the state of one match and allocates another for
/// each use that overlaps; here each overlapping use has an instance of its own, so that steady use allocates nothing.
/// </summary>
internal sealed class RegexPool(Regex first)
{
    private readonly Stack<Regex> _idle = new([first]);

    /// <summary>The caller's alone until given back.</summary>
    public Regex Rent()
    {
        lock (_idle)
        {
            if (_idle.TryPop(out Regex? regex))
            {
                return regex;
            }
        }

        return new Regex(first.ToString(), first.Options);
    }

    public void Return(Regex regex)
    {
        lock (_idle)
        {
            _idle.Push(regex);
        }
    }
}
