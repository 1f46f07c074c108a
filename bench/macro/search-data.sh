#!/usr/bin/env bash
# The sets of bench/macro/search.sh, synthetic: hard500k (flat scores), topical500k (documents of one topic share its terms),
# uniform500k (all weights are one: nothing can be pruned) and hard2m; about 4 GB and 20 minutes on two processors.
#   bench/macro/search-data.sh REFERENCES DIRECTORY [SET...]
# REFERENCES is a directory with gen.cpp and bp.cpp; the topical and the uniform set are made by gen.cpp with other constants.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: bench/macro/search-data.sh REFERENCES DIRECTORY [SET...]" >&2; exit 2; }
references=$(realpath "$1")
mkdir -p "$2"
cd "$2"
sets=("${@:3}")
[ ${#sets[@]} -gt 0 ] || sets=(hard500k topical500k uniform500k hard2m)
g++ -O3 -march=native -std=c++20 -pthread -o bp "$references/bp.cpp"
for set in "${sets[@]}"; do
    changes=()
    case $set in
        hard500k) size=(500000 500 128256 42) ;;
        hard2m) size=(2000000 300 128256 77) ;;
        uniform500k)
            size=(500000 500 128256 44)
            changes=(-e 's/(float)w})/1.0f})/g')
            ;;
        topical500k)
            # Three times as many terms of the smallest topics, in most of their documents and heavier; fewer of all documents'.
            size=(500000 500 128256 43)
            changes=(-e 's/MV=10;/MV=30;/' -e 's/if(R.u()<0.45)add(x,doclev\*log1p(R.gamma(2.0,0.9)))/if(R.u()<0.8)add(x,doclev*log1p(R.gamma(4.0,1.2)))/' -e 's/if(u<0.36){/if(u<0.60){/' -e 's/else if(u<0.60){/else if(u<0.80){/')
            ;;
        *) echo "there is no set $set; there are hard500k topical500k uniform500k hard2m" >&2; exit 2 ;;
    esac
    sed -e '' "${changes[@]}" "$references/gen.cpp" >gen.cpp
    g++ -O3 -march=native -std=c++20 -o gen gen.cpp
    ./gen "${size[@]}" "$set"
    ./bp "$set.docs.csr" "$set.bp.u32"
done
rm -f gen gen.cpp bp
