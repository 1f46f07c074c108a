namespace Tern.Text;

/// <summary>
/// Porter's stemmer (1980) in the form of his own later programs, which Lucene uses: "bli" for "abli" and the added "logi".
/// Works on lower-case words; letters outside a-z count as consonants.
/// </summary>
internal ref struct PorterStemmer
{
    private readonly Span<char> _word;
    private int _end;
    private int _stem;

    private PorterStemmer(Span<char> word)
    {
        _word = word;
        _end = word.Length;
    }

    /// <summary>Stems in place; the result is the first characters of <paramref name="buffer"/>, which has room for one more than the word.</summary>
    public static int Stem(Span<char> buffer, int length)
    {
        if (length <= 2)
        {
            return length;
        }
        var stemmer = new PorterStemmer(buffer) { _end = length };
        stemmer.Plurals();
        stemmer.FinalY();
        stemmer.DoubleSuffixes();
        stemmer.FullAndNess();
        stemmer.LongSuffixes();
        stemmer.FinalE();
        return stemmer._end;
    }

    private readonly bool IsConsonant(int i) => _word[i] switch
    {
        'a' or 'e' or 'i' or 'o' or 'u' => false,
        'y' => i == 0 || !IsConsonant(i - 1),
        _ => true,
    };

    // The number of vowel-consonant sequences in the stem: [C](VC)^m[V].
    private readonly int Measure()
    {
        int count = 0;
        bool afterVowel = false;
        for (int i = 0; i < _stem; i++)
        {
            bool consonant = IsConsonant(i);
            count += consonant && afterVowel ? 1 : 0;
            afterVowel = !consonant;
        }
        return count;
    }

    private readonly bool HasVowelInStem()
    {
        for (int i = 0; i < _stem; i++)
        {
            if (!IsConsonant(i))
            {
                return true;
            }
        }
        return false;
    }

    private readonly bool EndsInDoubleConsonant() => _end >= 2 && _word[_end - 1] == _word[_end - 2] && IsConsonant(_end - 1);

    // Consonant, vowel, consonant other than w, x, y at the end: hop(ing), but not snow(ing).
    private readonly bool EndsInShortSyllable(int end) =>
        end >= 3 && IsConsonant(end - 1) && !IsConsonant(end - 2) && IsConsonant(end - 3) && _word[end - 1] is not ('w' or 'x' or 'y');

    private bool Ends(string suffix)
    {
        if (!_word[.._end].EndsWith(suffix, StringComparison.Ordinal))
        {
            return false;
        }
        _stem = _end - suffix.Length;
        return true;
    }

    private void Set(string ending)
    {
        ending.CopyTo(_word[_stem..]);
        _end = _stem + ending.Length;
    }

    private bool Replace(string suffix, string ending)
    {
        if (!Ends(suffix))
        {
            return false;
        }
        if (Measure() > 0)
        {
            Set(ending);
        }
        return true;
    }

    // Step 1a and 1b: caresses, ponies, cats; agreed, plastered, motoring.
    private void Plurals()
    {
        if (_word[_end - 1] == 's')
        {
            if (Ends("sses"))
            {
                _end -= 2;
            }
            else if (Ends("ies"))
            {
                Set("i");
            }
            else if (_word[_end - 2] != 's')
            {
                _end--;
            }
        }
        if (Ends("eed"))
        {
            if (Measure() > 0)
            {
                _end--;
            }
            return;
        }
        if (!(Ends("ed") || Ends("ing")) || !HasVowelInStem())
        {
            return;
        }
        _end = _stem;
        if (Ends("at") || Ends("bl") || Ends("iz"))
        {
            _word[_end++] = 'e';
        }
        else if (EndsInDoubleConsonant())
        {
            if (_word[_end - 1] is not ('l' or 's' or 'z'))
            {
                _end--;
            }
        }
        else
        {
            _stem = _end;
            if (Measure() == 1 && EndsInShortSyllable(_end))
            {
                _word[_end++] = 'e';
            }
        }
    }

    // Step 1c: happy, sky.
    private void FinalY()
    {
        if (Ends("y") && HasVowelInStem())
        {
            _word[_end - 1] = 'i';
        }
    }

    // Step 2. The order is that of the second last letter, as in Porter's programs.
    private void DoubleSuffixes() =>
        _ = Replace("ational", "ate") || Replace("tional", "tion")
            || Replace("enci", "ence") || Replace("anci", "ance")
            || Replace("izer", "ize")
            || Replace("bli", "ble") || Replace("alli", "al") || Replace("entli", "ent") || Replace("eli", "e") || Replace("ousli", "ous")
            || Replace("ization", "ize") || Replace("ation", "ate") || Replace("ator", "ate")
            || Replace("alism", "al") || Replace("iveness", "ive") || Replace("fulness", "ful") || Replace("ousness", "ous")
            || Replace("aliti", "al") || Replace("iviti", "ive") || Replace("biliti", "ble")
            || Replace("logi", "log");

    // Step 3.
    private void FullAndNess() =>
        _ = Replace("icate", "ic") || Replace("ative", "") || Replace("alize", "al") || Replace("iciti", "ic")
            || Replace("ical", "ic") || Replace("ful", "") || Replace("ness", "");

    // Step 4.
    private void LongSuffixes()
    {
        bool found = Ends("al") || Ends("ance") || Ends("ence") || Ends("er") || Ends("ic") || Ends("able") || Ends("ible")
            || Ends("ant") || Ends("ement") || Ends("ment") || Ends("ent")
            || (Ends("ion") && _stem > 0 && _word[_stem - 1] is 's' or 't')
            || Ends("ou") || Ends("ism") || Ends("ate") || Ends("iti") || Ends("ous") || Ends("ive") || Ends("ize");
        if (found && Measure() > 1)
        {
            _end = _stem;
        }
    }

    // Step 5: probate, rate, cease; controll, roll.
    private void FinalE()
    {
        _stem = _end;
        if (_word[_end - 1] == 'e')
        {
            _stem = _end - 1;
            int measure = Measure();
            if (measure > 1 || (measure == 1 && !EndsInShortSyllable(_end - 1)))
            {
                _end--;
            }
        }
        if (_end > 0 && _word[_end - 1] == 'l' && EndsInDoubleConsonant())
        {
            _stem = _end;
            if (Measure() > 1)
            {
                _end--;
            }
        }
    }
}
