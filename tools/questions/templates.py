"""The templates of ``questions``, a list for each class.

One template a line, in the notation that ``tools.questions.grammar`` explains. Templates
after ``//`` are rare: see ``grammar.RARE_SHARE``.
"""

TEMPLATES = {
    "person": """
        Who {act.past} ?
        Who told {someone} [why {fact}|where the {thing} was|when the {event} began] ?
        Which {adjective} {role} {act.past} ?
        Which {role} did {someone} {meet} in {city} ?
        Which {collectable} [dealer|collector|thief] {act.past} ?
        What {role} {act.past} ?
        What {role} did {someone} {meet} when the {event} began ?
        What was the name of the {role} who {act.past} ?
        What was the {adjective} {role} who {act.past} called ?
        Name [the|a] {role} who {act.past} .
        Name the {official} of the {area} where {someone} {deed.past} .
        Which {official} of the {site} near {city} {act.past} ?
        Can you tell me [who|which {role}] {act.past} ?
        Do you know the name of the {role} that {act.past} ?
        By [whom|which {role}] was the {structure} in {city} [built|closed|designed] ?
        By which {role} was the {thing} {take.done} in {year} ?
        The {structure} in {city} was built by which {role} ?
        With whom did {someone} [cross the {barrier}|study {subject}|travel to {city}] ?
        From which {role} did {someone} learn [to {skill}|why {fact}] ?
        In {year} , [who|which {role}|what {role}] {undated.past} ?
        Whose {thing} did {someone} {take} [in {city}|] ?
        //
        Which of the {count} {crowd} from {city} {act.past} ?
        Under which [king|queen|emperor] did {country} [go to war|become rich] ?
        After which {role} is the {structure} in {city} named ?
        Give me the name of the {role} who {act.past} .
        I would like to know [who|what {role}] {act.past} .
        The {thing} once belonged to which {adjective} {role} ?
        For whom was the {thing} in the {structure} made ?
    """,
    "place": """
        Where did {someone} {deed} ?
        Where was {someone} [born|buried|arrested] ?
        Where was the {thing} that {someone} {take.past} [hidden|found|made] ?
        In [which|what] {area} did {someone} {deed} ?
        On [which|what] {ground} did {someone} {deed} ?
        What {area} did {someone} [come from|leave in {year}|flee to] ?
        What is the capital of {country} ?
        What is the name of the {area} where {someone} {deed.past} ?
        What was the {area} where {someone} {deed.past} called ?
        Which {area} was [founded|visited|described] by {someone} ?
        Which {site} [lies in {country}|lies near {city}|is famous for its {objects}] ?
        Name the {area} in which {someone} {deed.past} .
        Name [a|the] {site} [in {country}|near {city}] that {someone} visited .
        Name the {area} of the {role} who {act.past} .
        Which {site} near {city} did the {role} with the {thing} admire ?
        Can you tell me [where|in which {area}] {someone} {deed.past} ?
        Do you know [where|in what {area}] {someone} {deed.past} ?
        To [which|what] {area} did {someone} [flee|travel] when the {event} began ?
        {someone} {plain.past} in which {area} ?
        In {year} , [where|in which {area}] did {someone} {deed} ?
        //
        From where did {someone} [bring|order] the {thing} ?
        Give me the name of the {area} where {someone} {deed.past} .
        I would like to know [where|in which {area}] {someone} {deed.past} .
        Through which {area} did {someone} travel on the way to {city} ?
        Which is the {area} that {someone} never left ?
    """,
    "time": """
        When did {someone} {undated} ?
        When was {someone} [born|elected|arrested] ?
        When was the {structure} in {city} [built|closed|painted] ?
        In [which|what] {period} did {someone} {undated} ?
        On [which|what] {day} did {someone} {deed} ?
        What {period} was the {structure} in {city} [built|closed|designed] in ?
        What {period} did {someone} {plain} in ?
        What was the [date|year|month] of the {event} in {city} ?
        What is the name of the month in which {someone} {undated.past} ?
        What time did the {event} in {city} [begin|end] ?
        Which {period} saw the {event} in {city} ?
        Which [year|winter|summer|month] did {someone} spend in {city} ?
        How long did {someone} [live in {city}|study {subject}|govern {country}] ?
        How long [did the {event} in {city} last|was the {event} in {city}] ?
        How long [ago|after the {event}] did {someone} {undated} ?
        Name the {period} in which {someone} {undated.past} .
        Name the {period} of the {event} in the {site} near {city} .
        Can you tell me [when|in which {period}] {someone} {undated.past} ?
        Do you know how long it took {someone} to [{toil}|cross the {barrier}] ?
        Until [which|what] {period} did {someone} live in {city} ?
        {someone} {plain.past} in which {period} ?
        //
        Since when has the {structure} in {city} been [closed|empty|famous] ?
        Give me the {day} on which {someone} {deed.past} .
        I would like to know [when|on which {day}] {someone} {deed.past} .
        How soon after the {event} did {someone} {undated} ?
        During which {period} did {someone} first {undated} ?
        At [which|what] hour did the {event} in {city} begin ?
    """,
    "number": """
        How many {objects} did {someone} {take} ?
        How many {crowd} [died in|saw|took part in] the {event} in {city} ?
        How [tall|high|wide|large] is the {structure} in {city} ?
        How long is the [tunnel|road|wall|canal] that {someone} built ?
        How long is the [tunnel|road|railway] between {city} and {city} ?
        How far is {city} from [{city}|the {area} where {someone} was born] ?
        How much did {someone} pay for the {thing} ?
        What did {someone} pay for the {thing} that {name} {take.past} ?
        What [does a {thing} cost in {country}|does the {thing} of {name} weigh] ?
        What is the [population|area|size] of [{country}|{city}] ?
        What is the [height|width|size] of the {structure} in {city} ?
        What {share} of the {crowd} [left {country}|saw the {event}] in {year} ?
        What was the {measure} of the {thing} that {someone} {take.past} ?
        Which [percentage|share] of the {crowd} [met|admired|wrote to] {someone} ?
        Which number did {someone} [write|see|paint] on the {thing} ?
        At [what|which] price did {someone} sell the {thing} ?
        Name the number of {objects} that {someone} {take.past} .
        Name the {measure} of the {thing} that {someone} {take.past} .
        Name the {measure} of the {thing} of the {role} who {act.past} .
        What is the {thing} that {someone} {take.past} worth ?
        Can you tell me how many {objects} {someone} {take.past} in {city} ?
        Do you know [how high|how large] the {structure} in {city} is ?
        {someone} {take.past} how many {objects} in {city} ?
        //
        To how many {crowd} did {someone} explain why {fact} ?
        Give me the {measure} of the {thing} that {someone} {take.past} .
        I would like to know how [many {objects}|much money] {someone} {take.past} .
        What sum did {someone} offer to the {role} who {deed.past} ?
        Of the {crowd} who saw the {event} , what {share} {undated.past} ?
        By how many votes did {someone} win the election in {city} ?
        What distance lies between {city} and the {structure} in {city} ?
    """,
    "thing": """
        What did {someone} {take} [in {city}|when the {event} began] ?
        What did {someone} use to cross the {barrier} ?
        What did {someone} use to measure how [high|wide] the {structure} was ?
        What did {someone} [travel|go] to {country} in ?
        What did {someone} give to [{name}|the {role} who {deed.past}] in {year} ?
        What {thing} did {someone} {take} when the {event} began ?
        What [is a {thing} made of|was the {thing} of {name} made of] ?
        What is the name of the {work} in which {someone} explained why {fact} ?
        What was the {vessel} in which {someone} crossed the {barrier} called ?
        What {creature} did {someone} [discover|find|draw] in {country} ?
        Which {thing} [did {someone} {take}|was {take.done} by {someone}] ?
        Which {creature} is [common|rare] [near {city}|in {country}] ?
        In [which|what] {work} did {someone} [mention {name}|explain why {fact}] ?
        With [which|what] {tool} did {someone} damage the {thing} ?
        Name the {thing} [that {someone} {take.past}|of the {role} who {act.past}] .
        What did {someone} [swap|trade] for the {thing} ?
        Name a {work} in which {someone} [described {city}|mentioned {name}] .
        Name a {creature} that {someone} found in {country} .
        Can you tell me [what|which {thing}] {someone} {take.past} in {city} ?
        Do you know [what|which {thing}] {someone} took to {city} ?
        {someone} {take.past} which {thing} in {city} ?
        In {year} , [what|which {thing}] did {someone} {take} ?
        //
        Out of what did {someone} make the {thing} ?
        Give me the name of the {vessel} in which {someone} crossed the {barrier} .
        I would like to know [what|which {thing}] {someone} {take.past} .
        Instead of a {thing} , what did {someone} {take} ?
        On which {thing} did {someone} leave a stain when the {event} began ?
        Which is the {thing} that {someone} never {take.past} ?
        What became the favourite {thing} of {someone} ?
    """,
    "reason": """
        Why did {someone} {act} ?
        Why was {someone} [arrested|praised|sent to {city}] in {year} ?
        How come {someone} {act.past} ?
        What made {someone} {act} ?
        What [led|drove|moved|prompted] {someone} to {act} ?
        What [caused|started|triggered] the {disaster} in {city} ?
        What was the [cause of the {disaster}|reason for the {event}] in {city} ?
        What was the reason [that|why] {someone} {act.past} ?
        What did {someone} [go to {country}|need a {thing}|hide the {objects}] for ?
        What [is a {thing} used for|was the {thing} of {name} used for] ?
        For [what|which] reason did {someone} {act} ?
        Which {motive} [led|drove|moved] {someone} to {act} ?
        Which mistake caused the {disaster} in {city} ?
        Name the {motive} that [led|drove|moved] {someone} to {act} .
        Name [a|one] reason why {someone} {act.past} .
        Can you tell me [why|for what reason] {someone} {act.past} ?
        Do you know [why {someone} {act.past}|what made {someone} {act}] ?
        {someone} [{plain.past}|{feat.past}] for which reason ?
        In {year} , [why did|what made] {someone} {undated} ?
        //
        What lay behind the decision of {someone} to {act} ?
        Give me one {motive} that led {someone} to {act} .
        I would like to know [why|for what reason] {someone} {act.past} .
        To what end did {someone} {act} ?
        Because of what did {someone} {act} ?
        What persuaded {someone} to {act} ?
        What is the use of a {thing} in {country} ?
    """,
}
