"""The words and phrases that fill the slots of the templates of ``questions``.

One entry per slot. Commas or ends of lines separate its fillers, which may hold slots and
choices themselves. Fillers after ``//`` are rare: see ``grammar.RARE_SHARE``. A verb has
its forms with it, ``steal~stole~stolen``: ``{take}`` is "steal", ``{take.past}`` is
"stole" and ``{take.done}`` is "stolen".
"""

FILLERS = {
    # === People ===
    "someone": """
        {name}, the {role}, the {adjective} {role}
        the {role} [from {country}|from the {site} near {city}|with the {thing}]
        the {role} who {act.past}
        the {role} whose {thing} was {take.done}
        // the {collectable} [dealer|collector] from {city}
        the {adjective} {role} from {country}
    """,
    "name": """
        Darwin, Mozart, Newton, Galileo, Cleopatra, Napoleon, Beethoven, Rembrandt
        Columbus, Shakespeare, Goethe, Edison, Gandhi, Lincoln, Picasso, Einstein
        // Humboldt, Vermeer, Haydn, Amundsen, Pasteur, Tolstoy, Leibniz, Cervantes
    """,
    "role": """
        painter, composer, poet, novelist, engineer, architect, chemist, astronomer
        explorer, general, admiral, queen, king, emperor, doctor, singer, dancer, sailor
        merchant, banker, journalist, princess, philosopher, lawyer
        // geologist, cardinal, choreographer, blacksmith, duchess, senator, midwife
        cartographer, surgeon, baroness, playwright, tailor, shepherd, gardener
    """,
    "official": "mayor, judge, priest, bishop, teacher // governor, librarian, treasurer",
    "crowd": """
        soldiers, students, sailors, workers, pilgrims, ministers, nuns, farmers
        musicians, prisoners, tourists, miners
        // refugees, apprentices, knights, weavers, orphans, settlers
    """,
    "adjective": """
        Dutch, Greek, Polish, French, Swedish, Russian, Spanish, Chinese, Scottish
        young, famous, wealthy, forgotten, blind, brilliant, ambitious
        // Danish, Hungarian, exiled, stubborn, elderly, self-taught
    """,
    # === Places ===
    "city": """
        Paris, Vienna, Oslo, Cairo, Lisbon, Prague, Boston, Kyoto, Dublin, Naples
        Geneva, Lima, Athens, Delhi
        // Bergen, Riga, Nairobi, Quito, Ghent, Porto, Turin, Havana
    """,
    "country": """
        Iceland, Peru, Egypt, Norway, Portugal, Japan, India, Mexico, Kenya, Greece
        Poland, Brazil, Sweden, Canada, Chile, Ireland
        // Malta, Finland, Bolivia, Morocco, Denmark, Nepal, Hungary
    """,
    "site": """
        town, village, valley, district, castle, palace, monastery, suburb
        [fishing|mining|market] [town|village] // hamlet, fortress, abbey, convent
    """,
    "area": """
        {site}, {site}, city, country, province, region // county, kingdom, colony
    """,
    "ground": "island, continent, hill, coast, mountain // peninsula, farm, square",
    "structure": """
        tower, bridge, cathedral, lighthouse, library, theatre, station, museum
        town hall, temple, hospital, observatory
        // aqueduct, brewery, windmill, casino, orphanage
    """,
    "barrier": """
        Atlantic, Pacific, Alps, Sahara, Andes, Danube, Baltic, Rhine
        // Adriatic, Himalayas, Volga
    """,
    # === Times ===
    "year": """
        1492, 1588, 1604, 1648, 1701, 1756, 1789, 1804, 1815, 1848, 1871, 1889, 1905
        1912, 1936 // 1533, 1683, 1776, 1832, 1898, 1951
    """,
    "period": """
        year, century, decade, month, season, year, spring, winter, summer, autumn
        // era, epoch, week
    """,
    "day": "day, date, morning, evening, night, weekday // afternoon, Sunday, occasion",
    "event": """
        siege, carnival, festival, exhibition, fire, earthquake, flood, election, strike
        parade, trial, concert // famine, regatta, eclipse, revolt, auction, tournament
    """,
    # === Numbers ===
    "count": "three, four, five, seven, ten, twelve, twenty, forty // nine, sixty",
    "objects": """
        coins, letters, statues, paintings, clocks, books, horses, maps, swords, flags
        lamps, bells // stamps, goats, carpets, barrels, postcards, jewels
    """,
    "measure": """
        price, weight, size, length, value, cost // worth, height, width
    """,
    "share": "number, percentage, share, proportion // fraction",
    # === Things ===
    "thing": """
        piano, violin, clock, telescope, crown, sword, map, ring, letter, diary
        painting, statue, bicycle, lamp, coin, necklace, mirror, knife, umbrella
        accordion
        // sextant, harp, lantern, barometer, manuscript, saddle, chessboard, chalice
        globe, hourglass, tapestry, helmet, easel
    """,
    "collectable": "clock, map, coin, piano, book, horse // stamp, carpet, wine",
    "work": """
        novel, poem, play, song, letter, opera, report, book
        // sonnet, essay, ballad, pamphlet
    """,
    "creature": "animal, bird, plant, tree, insect, flower // shrub, reptile, mammal",
    "tool": "key, hammer, rope, knife, lamp, ladder, drill // crowbar, chisel, lever",
    "vessel": "ship, boat, balloon, carriage, train, plane // canoe, zeppelin, raft",
    # === Reasons ===
    "motive": """
        reason, motive, aim, purpose, intention, fear, hope // worry, ambition, pretext
    """,
    "disaster": """
        fire, flood, strike, riot, panic, explosion, robbery, epidemic
        // landslide, shortage, blackout, crash
    """,
    "fact": """
        the sky is blue, the sea is salty, leaves turn red, birds migrate, iron rusts
        cats purr, the moon shines, bread rises, volcanoes erupt, stars twinkle
        ice floats // bees dance, glaciers move, onions sting, metals expand
    """,
    # === What people do ===
    "act": "{deed}, {feat}, {dated}",
    "undated": "{deed}, {feat}",
    # Nothing in a deed names its place or its time: both can be asked for.
    "deed": "{plain}, {plain}, {telling}",
    "plain": """
        {toil}, meet~met {name}, hide~hid the {thing}, study~studied {subject}
        give~gave the {thing} to {name}, buy~bought {count} {objects}
        read~read about the {event}, count~counted the {objects}
        // quarrel~quarrelled with {name}, adopt~adopted {count} children
    """,
    "toil": """
        write~wrote the {work}, find~found the {thing}, learn~learned to {skill}
        // repair~repaired the {thing}
    """,
    # Questions within questions.
    "telling": """
        explain~explained why {fact}, learn~learned why {fact}
        ask~asked {name} where the {thing} was, ask~asked {name} when the {event} began
        ask~asked {name} which {thing} was {take.done}
        tell~told {name} how many {objects} there were
        // guess~guessed who had stolen the {thing}
        decide~decided how long the {event} should last
    """,
    # The place is named, the time can be asked for.
    "feat": """
        leave~left {country}, move~moved from {city} to {city}
        build~built the {structure} in {city}, close~closed the {structure} in {city}
        cross~crossed the {barrier}, take~took the {thing} to {city}
        refuse~refused to visit {city}, paint~painted the {structure} in {city}
        hide~hid the {thing} in a {site} near {city}
        see~saw the {event} in {city}
        // defend~defended the {structure} in {city}
        inherit~inherited a farm in {country}, smuggle~smuggled {objects} into {country}
    """,
    # The time is named, or too long to be asked for.
    "dated": """
        leave~left {city} in the [spring|summer|autumn|winter] of {year}
        arrive~arrived on the [morning|evening|day] of the {event}
        sell~sold the {thing} in {year}, cross~crossed the {barrier} in {year}
        write~wrote a {work} about {country}, govern~governed {country}
        live~lived in {city} for {count} years, return~returned to {country} in {year}
        spend~spent a [year|month|winter|summer] in {city}
        // retire~retired to {city} in {year}, vanish~vanished in {year}
    """,
    "take": """
        buy~bought~bought, sell~sold~sold, lose~lost~lost, steal~stole~stolen
        find~found~found, hide~hid~hidden, borrow~borrowed~borrowed
        inherit~inherited~inherited, admire~admired~admired
        // damage~damaged~damaged, auction~auctioned~auctioned, pawn~pawned~pawned
    """,
    "meet": """
        marry, meet, admire, paint, hire, teach, visit, defeat, accuse
        // betray, rescue, imitate, succeed
    """,
    "skill": """
        play chess, swim, sail, dance, paint, cook, ski, read maps, speak Latin
        // juggle, knit, fence
    """,
    "subject": "law, medicine, music, botany, chemistry, history // theology, geometry",
}
